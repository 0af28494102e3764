// payloads.mjs: the same twenty payloads, bit for bit, over every transport and from every kind of publisher.

import { Socket, Stream } from './clients.mjs';
import { envelope, eventTexts, expectedOfRaw, expectedOfSSE, faultOfObject, payloads } from './data.mjs';
import { Server } from './server.mjs';
import { Tap, check, equal } from './tap.mjs';

const tap = new Tap();
const server = await Server.boot();

equal(payloads.length, 20, 'payloads');

async function publishAll(channel) {
	const ids = [];
	for (const payload of payloads) {
		const answer = await server.private('POST', '/publish', { type: 'application/json', body: envelope(channel, payload) });
		equal(answer.status, 200, `${payload.name}: ${answer.text}`);
		ids.push(answer.json.id);
	}
	return ids;
}

function checkObjects(texts, channel, ids) {
	equal(texts.length, payloads.length, 'events');
	payloads.forEach((payload, i) => {
		const { id, channel: of, type } = JSON.parse(texts[i]);
		equal([id, of, type], [ids[i], channel, 'message'], `${payload.name}: id, channel, type`);
		equal(faultOfObject(texts[i], payload), null, payload.name);
	});
}

async function pollAll(parameters) {
	const texts = [];
	let after = parameters.after, more = true;
	while (more || texts.length < payloads.length) {
		const body = await (await fetch(server.events({ ...parameters, after }))).text();
		texts.push(...eventTexts(body));
		({ next: after, more } = JSON.parse(body));
	}
	return texts;
}

/* Live: the clients are there before the events. */

await tap.test('payloads_arrive_live_by_eventsource', async (after) => {
	const stream = new Stream(server.events({ channel: 'live.sse' }));
	after(() => stream.close());
	await stream.event('ringcast.welcome');
	const ids = await publishAll('live.sse');
	for (const [i, payload] of payloads.entries()) {
		const event = await stream.event('message');
		equal(event.id, ids[i], `${payload.name}: id`);
		check(event.data === expectedOfSSE(payload), `${payload.name}: ${JSON.stringify(event.data).slice(0, 200)}`);
	}
});

await tap.test('payloads_arrive_live_by_eventsource_as_json', async (after) => {
	const stream = new Stream(server.events({ channel: 'live.json', format: 'json' }));
	after(() => stream.close());
	await stream.event('ringcast.welcome');
	const ids = await publishAll('live.json');
	const texts = [];
	for (const id of ids) {
		const event = await stream.event('message');
		equal(event.id, id, 'id');
		texts.push(event.data);
	}
	checkObjects(texts, 'live.json', ids);
});

await tap.test('payloads_arrive_live_by_websocket', async (after) => {
	const socket = await Socket.open(server.events({ channel: 'live.ws' }), ['ringcast.v1']);
	after(() => socket.close());
	await socket.op('welcome');
	const ids = await publishAll('live.ws');
	const texts = [];
	while (texts.length < ids.length)
		texts.push((await socket.event()).text);
	checkObjects(texts, 'live.ws', ids);
});

await tap.test('payloads_arrive_live_by_raw_websocket', async (after) => {
	const socket = await Socket.open(server.events({ channel: 'live.raw' }), ['ringcast.raw']);
	after(() => socket.close());
	// The handshake's answer says that it is subscribed: nothing else could.
	await publishAll('live.raw');
	for (const payload of payloads) {
		const { bytes, binary } = await socket.next();
		const expected = expectedOfRaw(payload);
		equal(binary, expected.binary, `${payload.name}: binary`);
		check(bytes.equals(expected.bytes), `${payload.name}: ${bytes.length} bytes, expected ${expected.bytes.length}`);
	}
});

await tap.test('payloads_arrive_live_by_long_poll', async () => {
	const start = await (await fetch(server.events({ channel: 'live.longpoll' }))).json();
	const texts = pollAll({ channel: 'live.longpoll', after: start.next, wait: 10 });
	const ids = await publishAll('live.longpoll');
	checkObjects(await texts, 'live.longpoll', ids);
});

/* Replayed: the events are there before the clients. */

const kept = await publishAll('kept');

await tap.test('payloads_are_kept_for_a_short_poll', async () => {
	checkObjects(await pollAll({ channel: 'kept', after: 0 }), 'kept', kept);
});

await tap.test('payloads_are_kept_for_small_polls', async () => {
	checkObjects(await pollAll({ channel: 'kept', after: 0, limit: 3 }), 'kept', kept);
});

await tap.test('payloads_are_replayed_to_an_eventsource', async (after) => {
	const stream = new Stream(server.events({ channel: 'kept', after: 0 }));
	after(() => stream.close());
	for (const [i, payload] of payloads.entries()) {
		const event = await stream.event('message');
		equal(event.id, kept[i], `${payload.name}: id`);
		check(event.data === expectedOfSSE(payload), payload.name);
	}
	await stream.event('ringcast.live');
});

await tap.test('payloads_are_replayed_to_a_websocket', async (after) => {
	const socket = await Socket.open(server.events({ channel: 'kept', after: 0 }));
	after(() => socket.close());
	const texts = [];
	while (texts.length < kept.length)
		texts.push((await socket.event()).text);
	checkObjects(texts, 'kept', kept);
	await socket.op('live');
});

await tap.test('payloads_are_replayed_to_a_raw_websocket', async (after) => {
	const socket = await Socket.open(server.events({ channel: 'kept', after: 0, format: 'raw' }));
	after(() => socket.close());
	for (const payload of payloads)
		check((await socket.next()).bytes.equals(expectedOfRaw(payload).bytes), payload.name);
});

/* Published by clients. */

await tap.test('payloads_are_published_by_fetch', async () => {
	const ids = [];
	for (const payload of payloads) {
		const type = payload.bytes ? 'application/octet-stream' : payload.json ? 'application/json' : 'text/plain; charset=utf-8';
		const response = await fetch(server.events({ channel: 'demo.post' }),
			{ method: 'POST', headers: { 'Content-Type': type }, body: payload.bytes ?? payload.json ?? payload.text });
		const answer = await response.json();
		equal(response.status, 200, `${payload.name}: ${JSON.stringify(answer)}`);
		ids.push(answer.id);
	}
	checkObjects(await pollAll({ channel: 'demo.post', after: 0 }), 'demo.post', ids);
});

await tap.test('payloads_are_published_by_websocket', async (after) => {
	const socket = await Socket.open(server.events({}));
	after(() => socket.close());
	const ids = [];
	for (const payload of payloads) {
		socket.send(`{"op":"publish","ref":7,${envelope('demo.op', payload).slice(1)}`);
		const answer = await socket.op('published');
		equal(answer.ref, 7, `${payload.name}: ref`);
		ids.push(answer.id);
	}
	checkObjects(await pollAll({ channel: 'demo.op', after: 0 }), 'demo.op', ids);
});

await tap.test('payloads_are_published_by_raw_websocket', async (after) => {
	const socket = await Socket.open(server.events({ channel: 'demo.raw' }), ['ringcast.raw']);
	after(() => socket.close());
	for (const payload of payloads) {
		const { bytes, binary } = expectedOfRaw(payload);
		socket.socket.send(bytes, { binary });
		const echo = await socket.next();
		check(echo.binary === binary && echo.bytes.equals(bytes), payload.name);
	}
	// A bare frame is text or binary; no frame is JSON.
	const texts = await pollAll({ channel: 'demo.raw', after: 0 });
	payloads.forEach((payload, i) => {
		const as = payload.json === undefined ? payload : { text: payload.json };
		equal(faultOfObject(texts[i], as), null, payload.name);
	});
});

await tap.test('server_leaves_nothing', () => server.stop());
tap.end();
