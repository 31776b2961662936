// Shows the value of the chart's point nearest to the pointer. The chart's table has the same values.
function nearest(points, x) {
  return points.reduce((best, point) => (Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best));
}

function readoutOf(figure) {
  let readout = figure.querySelector(".readout");
  if (!readout) {
    readout = document.createElement("div");
    readout.className = "readout";
    readout.setAttribute("aria-hidden", "true");
    figure.append(readout);
  }
  return readout;
}

function showReadout(figure, drawing, event) {
  const points = (drawing.points ??= JSON.parse(drawing.dataset.points));
  if (!points.length) return;
  const box = drawing.getBoundingClientRect();
  const scale = drawing.viewBox.baseVal.width / box.width;
  const [x, y, text] = nearest(points, (event.clientX - box.left) * scale);
  const line = drawing.querySelector(".cursor");
  line.setAttribute("x1", x);
  line.setAttribute("x2", x);
  const dot = drawing.querySelector(".cursor-dot");
  dot?.setAttribute("cx", x);
  dot?.setAttribute("cy", y);
  const readout = readoutOf(figure);
  readout.textContent = text;
  const left = x / scale + 14;
  const fits = left + readout.offsetWidth < box.width;
  readout.style.transform = `translate(${fits ? left : x / scale - 14 - readout.offsetWidth}px, ${Math.max(y / scale - 56, 0)}px)`;
  figure.classList.add("reading");
}

function hideReadout(figure) {
  figure.classList.remove("reading");
  figure.querySelector(".readout")?.remove();
}

export function readCharts(root) {
  root.addEventListener("pointermove", (event) => {
    const figure = event.target.closest?.("[data-chart]");
    for (const other of root.querySelectorAll("[data-chart].reading")) if (other !== figure) hideReadout(other);
    const drawing = event.target.closest?.("svg[data-points]");
    if (figure && drawing) showReadout(figure, drawing, event);
  });
  root.addEventListener("pointerleave", () => root.querySelectorAll("[data-chart].reading").forEach(hideReadout));
}
