/** Asks before something that cannot be undone. */
import { html, render } from "lit";

export interface Question {
  title: string;
  text: string;
  /** The button that does it. */
  action: string;
}

/** Ask in a dialog within `root`; true when the person wants it done. */
export function confirmed(root: ParentNode, question: Question): Promise<boolean> {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "confirm-title");
  render(
    html`<form method="dialog" class="stack">
      <h2 id="confirm-title">${question.title}</h2>
      <p>${question.text}</p>
      <div class="row">
        <button class="push" value="no" autofocus>Cancel</button>
        <button class="danger" value="yes">${question.action}</button>
      </div>
    </form>`,
    dialog,
  );
  root.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
