// agree.mjs: clients that others wrote exchange the same two hundred payloads with the server, bit for bit, both ways, over every
// transport that they speak: npm's ws with every kind of compression, undici, npm's eventsource. One line for each.

import net from 'node:net';
import { EventSource } from 'eventsource';
import * as undici from 'undici';
import WebSocket from 'ws';
import { collect, publishAll, read, receive, waysOf } from './exchange.mjs';
import { COUNT, lines } from './payloads.mjs';
import { channelNames, publishPayloads, report } from './rounds.mjs';
import { Server } from './server.mjs';
import { Tap, check, equal } from './tap.mjs';

const tap = new Tap();
const payloads = read(lines());
equal(payloads.length, COUNT, 'payloads');

// npm's ws, with the bytes that its connection takes and gives.
function ws(name, perMessageDeflate) {
	const kit = { name: `ws_${name}`, fetch, offers: perMessageDeflate };
	kit.webSocket = (url, protocols) => {
		const createConnection = (options) => (kit.connection = net.connect(options));
		return (kit.socket = new WebSocket(url, protocols, { perMessageDeflate, createConnection }));
	};
	return kit;
}

const undiciKit = {
	name: 'undici',
	fetch: undici.fetch,
	polls: true,
	webSocket: (url, protocols) => new undici.WebSocket(url, protocols),
	eventSource: (url) => new undici.EventSource(url),
	// It decodes a text message with a TextDecoder, which takes a byte order mark at its beginning for no part of it.
	sees: (form, payload) => (form === 'raw' && payload.kind === 'text' ? { ...payload, text: payload.text.replace(/^\ufeff/, '') } : payload),
};

// The receivers of all kits at once, live; then of each what is kept; then each publishes.
async function exchangeAll(server, kits) {
	const nameChannel = channelNames();
	const channel = nameChannel();
	const live = kits.flatMap((kit) => waysOf(kit).map((way) => receive(kit, way, server.url, channel)));
	await Promise.all(live.map((receiver) => receiver.ready));
	const ids = await publishPayloads(server, channel, payloads);
	for (const receiver of live)
		report(tap, await collect(receiver, channel, payloads, ids));
	for (const kit of kits) {
		const replayed = waysOf(kit).map((way) => receive(kit, way, server.url, channel, 0));
		for (const receiver of replayed)
			report(tap, await collect(receiver, channel, payloads, ids));
		for (const judgement of await publishAll(kit, server.url, payloads, nameChannel))
			report(tap, judgement);
	}
	return channel;
}

const server = await Server.boot({ ring_bytes: '256MiB' });
await exchangeAll(server, [
	ws('plain', false),
	ws('deflate', { threshold: 0 }),
	undiciKit,
	{ name: 'eventsource', fetch, eventSource: (url) => new EventSource(url) },
]);
await tap.test('server_leaves_nothing', () => server.stop());
tap.end();
