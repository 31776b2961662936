// Keeps what the user has opened, focused or submitted when a part of the page is replaced.
const isFocused = (part) => {
  const active = document.activeElement;
  return part.contains(active) && active.matches("input, select, textarea") && active !== document.body;
};
// While a form waits for its response, its part must stay: the response replaces it.
const isSubmitting = (part) => Boolean(part.querySelector("form.htmx-request"));
const isLiveUpdate = (detail) => Boolean(detail.requestConfig?.triggeringEvent?.type?.startsWith("sse:"));

export function keepUserState(root) {
  // The opened details, by the id of the part that is being replaced; several parts can be replaced at the same time.
  const opened = new Map();
  // The live updates that parts skipped while they waited for a response: they are requested again.
  const skipped = new Map();
  // The notice about the user's own command, which must survive a live update of its part.
  let kept = null;
  root.addEventListener("htmx:beforeSwap", (event) => {
    const part = document.getElementById(event.detail.target.id) ?? event.detail.target;
    if (isLiveUpdate(event.detail) && (isFocused(part) || isSubmitting(part))) {
      event.detail.shouldSwap = false;
      if (isSubmitting(part)) skipped.set(part.id, event.detail.requestConfig.triggeringEvent.type);
      return;
    }
    const notice = isLiveUpdate(event.detail) && part.querySelector("[data-say]");
    kept = notice ? { part: part.id, notice } : null;
    const before = opened.get(part.id) ?? [];
    opened.set(part.id, [...before, ...[...part.querySelectorAll("details[open][id]")].map((one) => one.id)]);
  });
  // Right after the swap, before a live update of another part can come in between.
  root.addEventListener("htmx:afterSwap", (event) => {
    const part = kept && document.getElementById(kept.part);
    if (part && !part.querySelector("[data-say]")) part.querySelector("h2")?.after(kept.notice);
    kept = null;
  });
  root.addEventListener("htmx:afterSettle", (event) => {
    const part = event.detail.elt.id;
    for (const id of opened.get(part) ?? []) document.getElementById(id)?.setAttribute("open", "");
    opened.delete(part);
    const notice = isLiveUpdate(event.detail) ? null : event.detail.elt.querySelector?.("[data-say]");
    if (notice) {
      document.getElementById("said").textContent = notice.dataset.say;
      notice.scrollIntoView({ block: "nearest" });
    }
    const update = skipped.get(part);
    skipped.delete(part);
    if (update) htmx.trigger(event.detail.elt, update);
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
  const isCommand = (event) => event.detail.requestConfig?.verb === "post";
  root.addEventListener("htmx:sendError", (event) => {
    if (isCommand(event)) showError("The server cannot be reached. Whether it was saved shows when you load the page again.");
  });
  root.addEventListener("htmx:responseError", (event) => {
    if (isCommand(event)) showError("That did not work. Load the page again to see how things stand.");
  });
}

function showError(text) {
  const main = document.getElementById("main");
  let notice = document.getElementById("failed");
  if (!notice) {
    notice = document.createElement("div");
    notice.id = "failed";
    notice.className = "notice red";
    notice.setAttribute("role", "alert");
    main.prepend(notice);
  }
  notice.textContent = text;
  notice.scrollIntoView({ block: "nearest" });
}
