// What a person has opened stays open, and what they hold stays theirs, when a part of the page is replaced.
const isBusy = (part) => {
  const active = document.activeElement;
  return part.contains(active) && active.matches("input, select, textarea") && active !== document.body;
};
// A part whose form waits for its answer is replaced by that answer, which finds no place once the form is gone.
const isAsking = (part) => Boolean(part.querySelector("form.htmx-request"));
const isNews = (detail) => Boolean(detail.requestConfig?.triggeringEvent?.type?.startsWith("sse:"));

export function keepPlace(root) {
  // By the id of the part that is being replaced: several are, one within the other's settling.
  const opened = new Map();
  // The parts that missed news while they waited for an answer: they ask for it again.
  const missed = new Map();
  // News replaces a part at any moment; what the part has just told of a person's own wish must outlast it.
  let told = null;
  root.addEventListener("htmx:beforeSwap", (event) => {
    const part = document.getElementById(event.detail.target.id) ?? event.detail.target;
    if (isNews(event.detail) && (isBusy(part) || isAsking(part))) {
      event.detail.shouldSwap = false;
      if (isAsking(part)) missed.set(part.id, event.detail.requestConfig.triggeringEvent.type);
      return;
    }
    const notice = isNews(event.detail) && part.querySelector("[data-say]");
    told = notice ? { part: part.id, notice } : null;
    const before = opened.get(part.id) ?? [];
    opened.set(part.id, [...before, ...[...part.querySelectorAll("details[open][id]")].map((one) => one.id)]);
  });
  // At once, so that no other part's news comes between.
  root.addEventListener("htmx:afterSwap", (event) => {
    const part = told && document.getElementById(told.part);
    if (part && !part.querySelector("[data-say]")) part.querySelector("h2")?.after(told.notice);
    told = null;
  });
  root.addEventListener("htmx:afterSettle", (event) => {
    const part = event.detail.elt.id;
    for (const id of opened.get(part) ?? []) document.getElementById(id)?.setAttribute("open", "");
    opened.delete(part);
    const notice = isNews(event.detail) ? null : event.detail.elt.querySelector?.("[data-say]");
    if (notice) {
      document.getElementById("said").textContent = notice.dataset.say;
      notice.scrollIntoView({ block: "nearest" });
    }
    const news = missed.get(part);
    missed.delete(part);
    if (news) htmx.trigger(event.detail.elt, news);
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
