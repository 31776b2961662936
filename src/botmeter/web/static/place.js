// What a person has opened stays open, and what they hold stays theirs, when a part of the page is replaced.
const isBusy = (part) => {
  const active = document.activeElement;
  return part.contains(active) && active.matches("input, select, textarea") && active !== document.body;
};

export function keepPlace(root) {
  let open = [];
  // News replaces a part at any moment; what the part has just told of a person's own wish must outlast it.
  let told = null;
  root.addEventListener("htmx:beforeSwap", (event) => {
    const source = event.detail.requestConfig?.triggeringEvent;
    const isNews = Boolean(source?.type?.startsWith("sse:"));
    if (isNews && isBusy(event.detail.target)) event.detail.shouldSwap = false;
    const notice = isNews ? document.getElementById(event.detail.target.id)?.querySelector("[data-say]") : null;
    told = notice ? { part: event.detail.target.id, notice } : null;
    open = [...event.detail.target.querySelectorAll("details[open][id]")].map((one) => one.id);
  });
  root.addEventListener("htmx:afterSettle", (event) => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    const notice = event.detail.elt.querySelector?.("[data-say]");
    if (notice) {
      document.getElementById("said").textContent = notice.dataset.say;
      notice.scrollIntoView({ block: "nearest" });
    }
    const part = told && document.getElementById(told.part);
    if (part && !part.querySelector("[data-say]")) part.querySelector("h2")?.after(told.notice);
    told = null;
  });
  root.addEventListener("click", (event) => {
    const link = event.target.closest("[data-why]");
    if (!link) return;
    const next = link.closest("tr").nextElementSibling;
    if (next?.matches(".why-row")) {
      next.remove();
      link.setAttribute("aria-expanded", "false");
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
  root.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt.matches?.("[data-why]") && event.detail.successful) event.detail.elt.setAttribute("aria-expanded", "true");
  });
  const isWish = (event) => event.detail.requestConfig?.verb === "post";
  root.addEventListener("htmx:sendError", (event) => {
    if (isWish(event)) say("The server cannot be reached. Whether it was saved shows when you load the page again.");
  });
  root.addEventListener("htmx:responseError", (event) => {
    if (isWish(event)) say("That did not work. Load the page again to see how things stand.");
  });
}

function say(words) {
  const main = document.getElementById("main");
  let notice = document.getElementById("failed");
  if (!notice) {
    notice = document.createElement("div");
    notice.id = "failed";
    notice.className = "notice red";
    notice.setAttribute("role", "alert");
    main.prepend(notice);
  }
  notice.textContent = words;
  notice.scrollIntoView({ block: "nearest" });
}
