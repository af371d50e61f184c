/** The pages' entry point. */
import { html, render } from "lit";

render(html`<main><h1>Steno</h1></main>`, document.body);
