/** Asks before something that cannot be undone, or for what it needs. */
import { html, nothing, render } from "lit";

export interface Question {
  title: string;
  text: string;
  /** The button that does it. */
  action: string;
  /** Whether a new password is asked for. */
  wantsPassword?: boolean;
}

function passwordField() {
  return html`<div>
    <label for="new-password">New password, at least 8 characters</label>
    <input
      id="new-password"
      type="password"
      minlength="8"
      maxlength="1024"
      required
      autocomplete="new-password"
      autofocus
    />
  </div>`;
}

function ask(root: ParentNode, question: Question): Promise<HTMLDialogElement> {
  const { title, text, action, wantsPassword = false } = question;
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "question");
  render(
    html`<form method="dialog" class="stack">
      <h2 id="question">${title}</h2>
      <p>${text}</p>
      ${wantsPassword ? passwordField() : nothing}
      <div class="row">
        <button type="button" class="push" ?autofocus=${!wantsPassword} @click=${() => dialog.close()}>
          Cancel
        </button>
        <button class=${wantsPassword ? "primary" : "danger"} value="yes">${action}</button>
      </div>
    </form>`,
    dialog,
  );
  root.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog);
    });
  });
}

/** Ask in a dialog within `root`; true when the person wants it done. */
export async function confirmed(root: ParentNode, question: Question): Promise<boolean> {
  return (await ask(root, question)).returnValue === "yes";
}

/** Ask for a new password in a dialog within `root`; null when the person cancelled. */
export async function newPassword(root: ParentNode, question: Question): Promise<string | null> {
  const dialog = await ask(root, { ...question, wantsPassword: true });
  if (dialog.returnValue !== "yes") return null;
  return dialog.querySelector<HTMLInputElement>("#new-password")?.value ?? null;
}
