/** What the keys and buttons do. */
import { formatSpeed, nextSpeed } from "./clock.ts";
import type { Action } from "./keys.ts";
import type { Player } from "./player.ts";
import type { View } from "./view.ts";

/** The longest pause when pauses are shortened by key. */
const SHORT_PAUSE_S = 2;

type Handler = (player: Player, view: View) => unknown;
type Simple = Exclude<Action["do"], "skip" | "tenth">;

function changeSpeed({ playback }: Player, view: View, by: 1 | -1): void {
  playback.speed = nextSpeed(playback.speed, by);
  view.status.say(`speed ${formatSpeed(playback.speed)}`);
}

function toggleIdle(player: Player, view: View): void {
  const isShort = Number.isFinite(player.playback.idleLimit);
  player.setIdleLimit(isShort ? Number.POSITIVE_INFINITY : SHORT_PAUSE_S);
  view.status.say(isShort ? "pauses in full" : `pauses at most ${SHORT_PAUSE_S} s`);
}

const HANDLERS: Readonly<Record<Simple, Handler>> = {
  toggle: ({ playback }) => (playback.isPlaying ? playback.pause() : playback.play()),
  step: (player) => player.step(),
  stepBack: (player) => player.stepBack(),
  start: (player) => player.seek(0),
  end: (player) => player.seek(player.playback.duration),
  live: (player) => player.follow(),
  faster: (player, view) => changeSpeed(player, view, 1),
  slower: (player, view) => changeSpeed(player, view, -1),
  normalSpeed: ({ playback }) => {
    playback.speed = 1;
  },
  idle: toggleIdle,
  nextMark: (player) => player.goToMark(1),
  previousMark: (player) => player.goToMark(-1),
  nextTrouble: (player) => player.goToTrouble(1),
  previousTrouble: (player) => player.goToTrouble(-1),
  search: (_player, view) => view.searchBar.open(),
  nextHit: (player) => player.search.step(1, player.playback.destination),
  previousHit: (player) => player.search.step(-1, player.playback.destination),
  goTo: (player, view) => view.timePanel.ask(player.playback.time),
  copy: (player, view) => view.copy(player.screenText(), "the screen's text"),
  link: (player) => player.copyLink(),
  help: (_player, view) => view.toggleHelp(),
  zoom: (_player, view) => view.toggleZoom(),
  fullscreen: (_player, view) => view.toggleFullscreen(),
  close: (_player, view) => view.closeTopmost(),
};

/** Do it. What takes longer goes on by itself; a newer action takes over. */
export function perform(action: Action, player: Player, view: View): void {
  if (action.do === "skip") void player.seek(player.playback.destination + action.seconds);
  else if (action.do === "tenth") void player.seek((player.playback.duration * action.tenth) / 10);
  else HANDLERS[action.do](player, view);
}
