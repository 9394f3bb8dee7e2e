// The line at the top: the name, models and recipes, how the machine is, and the theme.
import { signal } from "@preact/signals";
import { connected, diagnosis, status } from "../state";
import { changeTheme, theme } from "../theme";
import { IconButton } from "./common";
import { Icon } from "./icons";
import { Machine } from "./machine";
import { ModelsWindow } from "./models";
import { openRecipes, recipesOpen } from "../preparing";
import { RecipesWindow } from "./recipes";

const machineOpen = signal(false);
const modelsOpen = signal(false);
const THEME_ICONS = { system: "system", dark: "moon", light: "sun" } as const;
const THEME_NAMES = { system: "as the system", dark: "dark", light: "light" };

export const Header = () => (
  <header class="top">
    <h1>
      <img src="/assets/icon.svg" alt="" width="26" height="26" />
      <span>DSU Studio</span>
    </h1>
    <nav aria-label="Tools">
      <button type="button" class="plain" onClick={() => openRecipes(null)}>
        <Icon name="graph" />
        <span>Recipes</span>
      </button>
      <button type="button" class="plain" onClick={() => (modelsOpen.value = true)}>
        <Icon name="models" />
        <span>Models</span>
      </button>
      <MachineButton />
      <IconButton icon={THEME_ICONS[theme.value]} label={`Colours: ${THEME_NAMES[theme.value]}`} onClick={changeTheme} />
    </nav>
    {machineOpen.value && <Machine close={() => (machineOpen.value = false)} />}
    {modelsOpen.value && <ModelsWindow close={() => (modelsOpen.value = false)} />}
    {recipesOpen.value && <RecipesWindow />}
  </header>
);

function MachineButton() {
  const now = status.value;
  const memory = now?.memory?.rss_mb;
  const state = !connected.value ? "problem" : diagnosis.value && !diagnosis.value.healthy ? "warning" : "good";
  const text = connected.value ? (now?.device ?? "…").toUpperCase() : "Reconnecting…";
  const size = connected.value && memory != null ? `${(memory / 1000).toFixed(1)} GB` : "";
  return (
    <button type="button" class="plain machine-button" onClick={() => (machineOpen.value = true)} aria-label={`This machine: ${text} ${size}`.trim()}>
      <span class={`dot ${state}`} />
      <span>{text}</span>{" "}
      {size && <span class="muted wide-only">{size}</span>}
    </button>
  );
}
