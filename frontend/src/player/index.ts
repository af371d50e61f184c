/** Registers `<steno-player>`; this is the entry point of player.js. */
import { StenoPlayer } from "./element.ts";

if (!customElements.get("steno-player")) customElements.define("steno-player", StenoPlayer);
