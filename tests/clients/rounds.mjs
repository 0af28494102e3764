// rounds.mjs: what the scripts share that exchange the two hundred payloads: names, publishing on the Unix socket, reporting.

import { endOf, envelope } from './exchange.mjs';
import { CHANNEL_CHARS } from './payloads.mjs';
import { Failure, equal } from './tap.mjs';

// A new channel with each call: demo.001 and so on.
export function channelNames() {
	let count = 0;
	return () => `demo.${String(++count).padStart(CHANNEL_CHARS - 'demo.'.length, '0')}`;
}

// All payloads and END, in arrays of envelopes: the payloads' ids.
export async function publishPayloads(server, channel, payloads) {
	const texts = payloads.map((payload) => envelope(channel, payload));
	const half = texts.length / 2;
	const ids = [];
	for (const part of [texts.slice(0, half), texts.slice(half), [endOf(channel)]]) {
		const answer = await server.private('POST', '/publish', { type: 'application/json', body: `[${part.join(',')}]` });
		equal(answer.status, 200, answer.text.slice(0, 300));
		ids.push(...answer.json.ids);
	}
	return ids.slice(0, -1);
}

// One line for an exchange.
export function report(tap, { name, agreed, of, first }) {
	tap.result(`${name}: ${agreed} of ${of} payloads agree`, agreed === of && first === null ? null : new Failure(first));
}

// Publishes one by one, and kills all workers twice meanwhile: the ids. The second time only when everybody has come back from the first,
// which `reached(id)` waits for; else a client that was away for both would notice one.
export async function publishThroughKills(server, channel, reached) {
	const ids = [];
	for (let n = 0; n < 200; n++) {
		ids.push((await server.publish({ channel, data: n })).id);
		if (n === 100)
			await reached(ids.at(-1));
		if (n === 50 || n === 120)
			await server.killWorkers();
	}
	return ids;
}
