// The buttons beside a number of packs. The number is an input, so keyboards and screen readers have a single control.
export function stepPacks(root) {
  const show = (scope) => {
    for (const button of scope.querySelectorAll("[data-stepper] button")) button.hidden = false;
  };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-stepper] button");
    if (!button) return;
    const input = button.parentElement.querySelector("input");
    if (button.dataset.by > 0) input.stepUp();
    else input.stepDown();
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  root.addEventListener("htmx:afterSwap", () => show(root));
  show(root);
}
