/** The pages' entry point. */
import "./app.ts";
import { applyTheme, chosenTheme } from "./theme.ts";

applyTheme(chosenTheme());
document.body.append(document.createElement("steno-app"));
