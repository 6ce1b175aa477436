// Light, dark, or what the system says. The choice is kept where the browser allows it.
const THEMES = ["auto", "light", "dark"];

const savedTheme = () => {
  try {
    const saved = localStorage.getItem("rollout-conformance-theme");
    return THEMES.includes(saved) ? saved : "auto";
  } catch {
    return "auto";
  }
};

const useTheme = (theme) => {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("rollout-conformance-theme", theme);
  } catch {
    // a page from disk may have no storage
  }
};

const ThemeButton = () => {
  const [theme, setTheme] = useState(savedTheme());
  useEffect(() => useTheme(theme), [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  return html`<button type="button" class="plain" onClick=${() => setTheme(next)} title="Theme: ${theme}. Switch to ${next}"
    ><span aria-hidden="true">${{ auto: "◐", light: "○", dark: "●" }[theme]}</span><span class="sr">Theme: ${theme}</span></button>`;
};
