// What is chosen for new work, as far as several parts of the page change it.
import { signal } from "@preact/signals";
import { AIMS } from "./choices";
import type { RecipeDocument } from "./server/types";
import { recipes } from "./state";

export const aimId = signal(AIMS[0]!.id);
export const recipesOpen = signal(false);
export const seenRecipe = signal<string | null>(null);
/** A recipe out of the window of recipes; where it was changed, its document. */
export const ownRecipe = signal<{ name: string; document: RecipeDocument | null } | null>(null);

export function openRecipes(name: string | null): void {
  seenRecipe.value = name ?? seenRecipe.value ?? recipes.value[0]?.name ?? null;
  recipesOpen.value = true;
}

export function takeRecipe(name: string, document: RecipeDocument | null): void {
  ownRecipe.value = { name, document };
  aimId.value = "recipe";
}
