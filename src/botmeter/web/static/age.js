// How old the numbers are, counted on between the server's words; behind or cut off, they turn grey and say so.
const BEHIND_MS = 5000;

function words(ms) {
  if (ms < 60000) return `${Math.floor(ms / 1000)}\u00a0s`;
  if (ms < 3600000) return `${Math.floor(ms / 60000)}\u00a0min`;
  return `${Math.floor(ms / 3600000)}\u00a0h`;
}

export function watchAge(root) {
  if (!root.body.hasAttribute("sse-connect")) return;
  let heardAt = performance.now();
  let isCutOff = false;
  const hear = () => {
    heardAt = performance.now();
    isCutOff = false;
  };
  root.body.addEventListener("htmx:sseMessage", hear);
  root.body.addEventListener("htmx:sseOpen", hear);
  root.body.addEventListener("htmx:sseError", () => {
    isCutOff = true;
  });
  setInterval(() => {
    const lag = root.getElementById("lag");
    const age = root.getElementById("age-words");
    if (!lag || !age) return;
    const silence = performance.now() - heardAt;
    const isSilent = silence > BEHIND_MS;
    root.body.dataset.lag = isSilent ? "behind" : lag.dataset.lag;
    if (isSilent) age.textContent = `${isCutOff ? "offline, " : ""}as of ${words(silence)} ago`;
  }, 1000);
}
