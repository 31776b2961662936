// Starts what the page adds to its HTML. Without scripts every page still reads, and every form still works.
import { watchAge } from "./age.js";
import { readCharts } from "./charts.js";
import { keepPlace } from "./place.js";
import { stepPacks } from "./stepper.js";
import { chooseTheme } from "./theme.js";

chooseTheme(document.getElementById("theme"));
stepPacks(document);
readCharts(document);
keepPlace(document);
watchAge(document);

document.querySelector(".nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
