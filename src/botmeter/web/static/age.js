// Shows how old the numbers are, also between the server's messages. Without messages they turn grey and show their age.
const BEHIND_MS = 5000;

function ageText(ms) {
  if (ms < 60000) return `${Math.floor(ms / 1000)}\u00a0s`;
  if (ms < 3600000) return `${Math.floor(ms / 60000)}\u00a0min`;
  return `${Math.floor(ms / 3600000)}\u00a0h`;
}

export function watchAge(root) {
  if (!root.body.hasAttribute("sse-connect")) return;
  let receivedAt = performance.now();
  let isOffline = false;
  const onMessage = () => {
    receivedAt = performance.now();
    isOffline = false;
  };
  root.body.addEventListener("htmx:sseMessage", onMessage);
  root.body.addEventListener("htmx:sseOpen", onMessage);
  root.body.addEventListener("htmx:sseError", () => {
    isOffline = true;
  });
  setInterval(() => {
    const lag = root.getElementById("lag");
    const age = root.getElementById("age-words");
    if (!lag || !age) return;
    const silence = performance.now() - receivedAt;
    const isSilent = silence > BEHIND_MS;
    root.body.dataset.lag = isSilent ? "behind" : lag.dataset.lag;
    if (isSilent) age.textContent = `${isOffline ? "offline, " : ""}as of ${ageText(silence)} ago`;
  }, 1000);
}
