/** Asks before something that cannot be undone, or for what it needs. */
import { html, nothing, render } from "lit";

/** Something to be typed into the dialog. */
export interface Field {
  name: string;
  label: string;
  isRequired?: boolean;
  isPassword?: boolean;
}

export interface Question {
  title: string;
  text: string;
  /** The button that does it. */
  action: string;
  /** What is asked for. */
  fields?: Field[];
  /** Whether what it does cannot be undone; so it is without fields. */
  isDangerous?: boolean;
}

const PASSWORD: Field = {
  name: "new-password",
  label: "New password, at least 8 characters",
  isRequired: true,
  isPassword: true,
};

function field({ name, label, isRequired, isPassword }: Field, isFirst: boolean) {
  return html`<div>
    <label for=${name}>${label}</label>
    <input
      id=${name}
      type=${isPassword ? "password" : "text"}
      minlength=${isPassword ? 8 : nothing}
      maxlength=${isPassword ? 1024 : 1000}
      ?required=${isRequired}
      autocomplete=${isPassword ? "new-password" : "off"}
      ?autofocus=${isFirst}
    />
  </div>`;
}

function ask(root: ParentNode, question: Question): Promise<HTMLDialogElement> {
  const { title, text, action, fields = [], isDangerous = fields.length === 0 } = question;
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "question");
  render(
    html`<form method="dialog" class="stack">
      <h2 id="question">${title}</h2>
      <p>${text}</p>
      ${fields.map((one, number) => field(one, number === 0))}
      <div class="row">
        <button
          type="button"
          class="push"
          ?autofocus=${fields.length === 0}
          @click=${() => dialog.close()}
        >
          Cancel
        </button>
        <button class=${isDangerous ? "danger" : "primary"} value="yes">${action}</button>
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

/** Ask in a dialog for the question's fields, by name; null when the person cancelled. */
export async function answered(
  root: ParentNode,
  question: Question,
): Promise<Record<string, string> | null> {
  const dialog = await ask(root, question);
  if (dialog.returnValue !== "yes") return null;
  const value = ({ name }: Field): string =>
    dialog.querySelector<HTMLInputElement>(`#${name}`)?.value ?? "";
  return Object.fromEntries((question.fields ?? []).map((one) => [one.name, value(one)]));
}

/** Ask for a new password in a dialog within `root`; null when the person cancelled. */
export async function newPassword(root: ParentNode, question: Question): Promise<string | null> {
  const found = await answered(root, { ...question, fields: [PASSWORD] });
  return found?.[PASSWORD.name] ?? null;
}
