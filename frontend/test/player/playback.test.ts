import assert from "node:assert/strict";
import { test } from "node:test";
import { Playback } from "../../src/player/playback.ts";
import type { Segment, SegmentEvent, SegmentIndex } from "../../src/player/public.ts";

/** A recording of `count` lines, one each `pause` seconds, ten to a segment. */
function recordingOf(count: number, pause = 1): { index: SegmentIndex; segments: Segment[] } {
  const segments: Segment[] = [];
  const starts: number[] = [];
  const shown: string[] = [];
  for (let line = 0; line < count; line++) {
    const at = (line + 1) * pause;
    if (line % 10 === 0) {
      starts.push(line === 0 ? 0 : at);
      segments.push({ snapshot: { cols: 20, rows: 5, init: shown.join("") }, events: [] });
    }
    const event: SegmentEvent = [at, "o", `line ${line}\r\n`];
    segments.at(-1)?.events.push(event);
    shown.push(event[2]);
  }
  const index: SegmentIndex = {
    version: 1,
    duration: count * pause,
    term: { cols: 20, rows: 5 },
    segments: starts.map((start) => ({ start })),
  };
  return { index, segments };
}

/** A clock that stands still until `run` lets time pass, one frame each 20 ms. */
class Frames {
  time = 0;
  private due: (() => void) | null = null;
  now = () => this.time;
  frame = (callback: () => void) => {
    this.due = callback;
    return () => {
      if (this.due === callback) this.due = null;
    };
  };

  async run(seconds: number): Promise<void> {
    const end = this.time + seconds - 1e-9;
    while (this.time < end) {
      this.time += 0.02;
      const callback = this.due;
      this.due = null;
      callback?.();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

function playbackOf(count: number, pause = 1) {
  const { index, segments } = recordingOf(count, pause);
  const loaded: number[] = [];
  const failures: unknown[] = [];
  const frames = new Frames();
  const playback = new Playback(
    async (n) => {
      loaded.push(n);
      const segment = segments[n];
      if (!segment) throw new Error(`no segment ${n}`);
      return segment;
    },
    frames,
    {
      screen: () => undefined,
      state: () => undefined,
      played: () => undefined,
      failed: (error) => failures.push(error),
    },
  );
  playback.open(index, null);
  const lastLine = () => playback.emulator?.text().split("\n").at(-1);
  return { playback, frames, loaded, failures, segments, index, lastLine };
}

test("a seek shows the instant, from the keyframe of its segment", async () => {
  const { playback, loaded, lastLine } = playbackOf(100);
  await playback.seek(55.5);
  assert.equal(lastLine(), "line 54");
  assert.equal(playback.emulator?.text(), "line 51\nline 52\nline 53\nline 54");
  assert.deepEqual(loaded, [5, 6]);
  await playback.seek(12);
  assert.equal(lastLine(), "line 11");
});

test("an event at the very instant is shown", async () => {
  const { playback, lastLine } = playbackOf(30);
  await playback.seek(21);
  assert.equal(lastLine(), "line 20");
});

test("seeks are brought within the recording", async () => {
  const { playback, lastLine } = playbackOf(30);
  await playback.seek(1e9);
  assert.equal(playback.time, 30);
  assert.equal(lastLine(), "line 29");
  await playback.seek(-5);
  assert.equal(playback.time, 0);
  assert.equal(playback.emulator?.text(), "");
});

test("of many seeks at once the last one wins", async () => {
  const { playback, lastLine } = playbackOf(100);
  const seeks = [90, 10, 75, 33, 50.5].map((time) => playback.seek(time));
  await Promise.all(seeks);
  assert.equal(playback.time, 50.5);
  assert.equal(lastLine(), "line 49");
});

test("what is asked for while a seek is under way counts from where it goes", async () => {
  const { playback, lastLine } = playbackOf(100);
  await playback.seek(3);
  const far = playback.seek(55.5);
  assert.deepEqual([playback.time, playback.destination], [3, 55.5]);
  const on = playback.seek(playback.destination + 5);
  await Promise.all([far, on]);
  assert.deepEqual([playback.time, playback.destination], [60.5, 60.5]);
  const back = playback.seek(20.5);
  await Promise.all([back, playback.step()]);
  assert.equal(playback.time, 21);
  assert.equal(lastLine(), "line 20");
});

test("a seek arrives, whether playing begins or ends meanwhile", async () => {
  const { playback, frames } = playbackOf(100);
  await playback.seek(3);
  const seek = playback.seek(55);
  playback.play();
  await seek;
  await frames.run(1);
  assert.ok(playback.time >= 55.5 && playback.time <= 56.5, `${playback.time}`);
  const other = playback.seek(20);
  playback.pause();
  await other;
  await frames.run(1);
  assert.equal(playback.time, 20);
  assert.equal(playback.isPlaying, false);
});

test("playing keeps time and crosses segments", async () => {
  const { playback, frames, lastLine } = playbackOf(30);
  await playback.seek(0);
  playback.play();
  await frames.run(12.5);
  assert.ok(Math.abs(playback.time - 12.5) < 0.1, String(playback.time));
  assert.equal(lastLine(), "line 11");
  playback.pause();
  await frames.run(2);
  assert.equal(lastLine(), "line 11");
});

test("at 16 times a second is 16 seconds, at a 1/16 it is a sixteenth", async () => {
  const { playback, frames } = playbackOf(100);
  await playback.seek(0);
  playback.speed = 16;
  playback.play();
  await frames.run(2);
  assert.ok(Math.abs(playback.time - 32) < 1, String(playback.time));
  playback.speed = 1 / 16;
  const from = playback.time;
  await frames.run(3.2);
  assert.ok(Math.abs(playback.time - from - 0.2) < 0.05, String(playback.time - from));
});

test("with an idle limit long pauses are cut short, and nothing is left out", async () => {
  const { playback, frames, lastLine } = playbackOf(30, 100);
  playback.idleLimit = 0.5;
  await playback.seek(0);
  playback.play();
  await frames.run(5.2);
  assert.equal(lastLine(), "line 9");
  assert.ok(playback.time >= 1000 && playback.time < 1001);
});

test("playing ends at the end, and starts again from the begin", async () => {
  const { playback, frames } = playbackOf(3);
  await playback.seek(2.9);
  playback.play();
  await frames.run(1);
  assert.equal(playback.isPlaying, false);
  assert.equal(playback.time, 3);
  playback.play();
  await frames.run(0.3);
  assert.ok(playback.time < 1, String(playback.time));
  playback.pause();
});

test("steps go piece by piece, forward and back, over segments", async () => {
  const { playback, lastLine } = playbackOf(30);
  await playback.seek(9.5);
  await playback.step();
  assert.equal(playback.time, 10);
  await playback.step();
  assert.equal(playback.time, 11);
  assert.equal(lastLine(), "line 10");
  await playback.stepBack();
  assert.equal(playback.time, 10);
  assert.equal(lastLine(), "line 9");
  await playback.seek(1);
  await playback.stepBack();
  assert.equal(playback.time, 0);
});

test("a live recording grows; following stays at its end, and looking back does not", async () => {
  const { playback, index, segments, frames, lastLine } = playbackOf(25);
  const last = segments.at(-1);
  assert.ok(last);
  playback.open(index, last);
  await playback.follow();
  assert.equal(lastLine(), "line 24");
  playback.append([[26, "o", "live\r\n"]], 26);
  await frames.run(0.1);
  assert.equal(lastLine(), "live");
  assert.equal(playback.time, 26);
  await playback.seek(12);
  playback.append([[27, "o", "more\r\n"]], 27);
  await frames.run(0.1);
  assert.equal(playback.isFollowing, false);
  assert.equal(playback.duration, 27);
  assert.ok(playback.time < 14);
  await playback.follow();
  assert.equal(lastLine(), "more");
  assert.equal(playback.liveLength, 12);
  playback.finish();
  assert.equal(playback.isFollowing, false);
  assert.equal(playback.isPlaying, false);
  await playback.seek(26.5);
  assert.equal(lastLine(), "live");
});

test("playing from behind catches up with a live recording and follows it", async () => {
  const { playback, index, segments, frames } = playbackOf(25);
  playback.open(index, segments.at(-1) ?? null);
  await playback.seek(24.5);
  playback.play();
  await frames.run(1);
  assert.equal(playback.isFollowing, true);
});

test("a segment that cannot be had stops playing and is reported, once", async () => {
  const { playback, failures, segments } = playbackOf(30);
  await playback.seek(5);
  segments.length = 1;
  playback.play();
  await playback.seek(25);
  assert.equal(failures.length, 1);
  assert.match(String(failures[0]), /no segment 2/);
  assert.equal(playback.isPlaying, false);
});
