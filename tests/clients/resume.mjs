// resume.mjs: clients that others wrote lose nothing, and get nothing twice, when workers are killed under them.

import { EventSource } from 'eventsource';
import * as undici from 'undici';
import WebSocket from 'ws';
import { followAll } from './follow.mjs';
import { publishThroughKills } from './rounds.mjs';
import { Server } from './server.mjs';
import { Tap, check, equal, until } from './tap.mjs';

const tap = new Tap();
const server = await Server.boot({ retry_ms: 100 });

const kits = {
	undici: { fetch: undici.fetch, polls: true, webSocket: (...args) => new undici.WebSocket(...args), eventSource: (url) => new undici.EventSource(url) },
	ws: { webSocket: (...args) => new WebSocket(...args) },
	eventsource: { eventSource: (url) => new EventSource(url) },
};

const followers = Object.entries(kits).flatMap(([name, kit]) =>
	Object.entries(followAll(kit, server.url, 'killed')).map(([way, follower]) => [`${name}_${way}`, follower]));
await until(() => followers.every(([, { begun }]) => begun), 'all have begun');
const ids = await publishThroughKills(server, 'killed', (id) =>
	until(() => followers.every(([, { error, ids: got }]) => error !== null || got.at(-1) >= id), 'an event between the kills'));

for (const [name, follower] of followers)
	await tap.test(`${name}_loses_nothing_when_workers_are_killed`, async () => {
		await until(() => follower.error !== null || follower.ids.at(-1) === ids.at(-1), 'the last event');
		follower.stop();
		equal([follower.error, follower.gaps], [null, 0], 'error and gaps');
		equal(follower.ids, ids, 'ids');
		// A poll that is between two requests when the workers are killed need not notice.
		check(follower.ends >= 2 || name.endsWith('longpoll'), `${follower.ends} ends of connections`);
	});
await tap.test('server_leaves_nothing', () => server.stop());
tap.end();
