/** Registers `<steno-player>`; this is the entry point of player.js. */
class StenoPlayer extends HTMLElement {}

if (!customElements.get("steno-player")) customElements.define("steno-player", StenoPlayer);
