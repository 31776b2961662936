// Light or dark: the system's setting until the visitor chooses. The choice is a cookie, so that the first paint is right.
const YEAR_S = 31536000;

export function chooseTheme(button) {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    document.cookie = `botmeter_theme=${root.dataset.theme}; path=/; max-age=${YEAR_S}; samesite=strict`;
    name();
  });
  system.addEventListener("change", name);
  name();
}
