// Starts the scripts of the page. Without scripts every page can still be read, and every form still works.
import { watchAge } from "./age.js";
import { readCharts } from "./charts.js";
import { keepUserState } from "./user_state.js";
import { stepPacks } from "./stepper.js";
import { chooseTheme } from "./theme.js";

chooseTheme(document.getElementById("theme"));
stepPacks(document);
readCharts(document);
keepUserState(document);
watchAge(document);

document.querySelector(".nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
