// Dark or light: as the system is, until someone says otherwise.
import { computed, effect, signal } from "@preact/signals";

export type Theme = "system" | "dark" | "light";
const KEY = "dsu-theme";
const THEMES: readonly Theme[] = ["system", "dark", "light"];

function remembered(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? "system";
  } catch {
    return "system"; // a browser that remembers nothing
  }
}

const system = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(system.matches);
system.addEventListener("change", () => (systemDark.value = system.matches));

export const theme = signal<Theme>(remembered());
export const dark = computed(() => (theme.value === "system" ? systemDark.value : theme.value === "dark"));

export function changeTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // Then it holds until the page is left.
  }
}

effect(() => void (document.documentElement.dataset["theme"] = dark.value ? "dark" : "light"));
