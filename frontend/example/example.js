// Gives the player its recording, and uses its properties, methods and events.
const player = document.querySelector("steno-player");
const recording = await (await fetch("recording.json")).json();

player.data = recording;
player.addEventListener("steno-time", (event) => {
  document.querySelector("#now").value = event.detail.time.toFixed(1);
});
for (const [at, command] of recording.index.markers) {
  const button = document.createElement("button");
  button.textContent = command;
  button.addEventListener("click", () => player.seek(at));
  const item = document.createElement("li");
  item.append(button);
  document.querySelector("#commands").append(item);
}
