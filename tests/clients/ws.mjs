// ws.mjs: npm's ws against a real server: subprotocols, ops, cursors, fragments, pings, close codes.

import { Socket } from './clients.mjs';
import { Server, ask } from './server.mjs';
import { Tap, check, equal, until } from './tap.mjs';

const tap = new Tap();
const server = await Server.boot({ beat_s: { ws: 1, sse: 1 } });

async function open(after, parameters = {}, protocols = [], options = {}) {
	const socket = await Socket.open(server.events(parameters), protocols, options);
	after(() => socket.close());
	return socket;
}

async function publishMany(channel, count) {
	const { ids } = await server.publish(Array.from({ length: count }, (_, n) => ({ channel, data: String(n) })));
	return ids;
}

const idsOf = (socket) => socket.seen.filter((item) => item.object?.id && !item.object.op).map((item) => item.object.id);

/* The handshake. */

for (const [offered, chosen] of [
	[[], ''], [['ringcast.v1'], 'ringcast.v1'], [['ringcast.raw'], 'ringcast.raw'],
	[['mqtt', 'ringcast.raw', 'ringcast.v1'], 'ringcast.raw'], [['ringcast.v1', 'ringcast.raw'], 'ringcast.v1'],
])
	await tap.test(`ws_chooses_${chosen || 'no subprotocol'}_of_${offered.join('_') || 'none'}`.replaceAll(' ', '_'), async (after) => {
		equal((await open(after, { channel: 'x' }, offered)).socket.protocol, chosen, 'subprotocol');
	});

await tap.test('ws_chooses_no_subprotocol_that_it_does_not_know', async () => {
	const socket = new Socket(server.events({ channel: 'x' }), ['mqtt']);
	const fault = await socket.opened.then(() => '', (error) => error.message);
	socket.close();
	equal(fault, 'Server sent no subprotocol', 'fault');
});

await tap.test('ws_key_without_upgrade_is_426', async () => {
	const answer = await ask({ port: server.port, host: '127.0.0.1', path: '/events?channel=x', headers: { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'Sec-WebSocket-Version': '13' } });
	equal([answer.status, answer.json.error.code], [426, 'upgrade_required'], 'answer');
});

await tap.test('ws_old_version_is_refused', async () => {
	const answer = await ask({ port: server.port, host: '127.0.0.1', path: '/events?channel=x', headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'Sec-WebSocket-Version': '8' } });
	equal([answer.status, answer.headers['sec-websocket-version']], [426, '13'], 'answer');
});

await tap.test('ws_welcomes_first', async (after) => {
	const socket = await open(after, { channel: 'x' });
	const { object } = await socket.next();
	equal([object.op, object.beat_s], ['welcome', 1], 'welcome');
	check(/^\d{13}-\d{5}$/.test(object.at) && object.connection.length > 0, JSON.stringify(object));
});

for (const [what, parameters, code] of [
	['a bad channel', { channel: '$x' }, 'bad_channel'],
	['a closed channel', { channel: 'secret.x' }, 'forbidden'],
	['a bad cursor', { channel: 'x', after: '12' }, 'bad_after'],
])
	await tap.test(`ws_says_why_${what.replaceAll(' ', '_')}_ends_it`, async (after) => {
		const socket = await open(after, parameters);
		equal((await socket.op('error')).code, code, 'code');
		const end = await socket.closed();
		equal([end.closed, end.reason], [1008, code], 'close');
	});

/* Ops. */

await tap.test('ws_subscribes_and_unsubscribes', async (after) => {
	const socket = await open(after);
	await socket.op('welcome');
	socket.send({ op: 'subscribe', channel: 'sub', ref: 1 });
	const subscribed = await socket.op('subscribed');
	equal([subscribed.channel, subscribed.ref], ['sub', 1], 'subscribed');
	await socket.op('live');
	const first = await server.publish({ channel: 'sub', type: 'notice', data: { n: 1 } });
	equal((await socket.event()).text, `{"id":"${first.id}","channel":"sub","type":"notice","data":{"n":1}}`, 'event');
	socket.send({ op: 'subscribe', channel: 'sub', ref: 'again' });
	equal((await socket.op('subscribed')).ref, 'again', 'twice changes nothing');
	const second = await server.publish({ channel: 'sub', data: 2 });
	equal((await socket.event()).object.id, second.id, 'once');
	socket.send({ op: 'unsubscribe', channel: 'sub', ref: 2 });
	const unsubscribed = await socket.op('unsubscribed');
	equal([unsubscribed.channel, unsubscribed.ref], ['sub', 2], 'unsubscribed');
	await server.publish({ channel: 'sub', data: 3 });
	socket.send({ op: 'subscribe', channel: 'sub2' });
	await socket.op('live');
	const last = await server.publish({ channel: ['sub', 'sub2'], data: 4 });
	const event = await socket.event();
	equal([event.object.id, event.object.channel], [last.id, 'sub2'], 'nothing of that channel follows');
	equal(idsOf(socket), [first.id, second.id, last.id], 'events');
});

await tap.test('ws_replays_a_channel_beside_a_live_one', async (after) => {
	const kept = await publishMany('beside', 5);
	const socket = await open(after, { channel: 'live' });
	await socket.op('welcome');
	socket.send({ op: 'subscribe', channel: 'beside', after: kept[1] });
	equal((await socket.op('subscribed')).at, kept[1], 'at lies before the replay');
	await socket.op('live');
	equal(idsOf(socket), kept.slice(2), 'replay');
	const both = await server.publish({ channel: ['beside', 'live'], data: 'once' });
	const last = await server.publish({ channel: 'live', data: 'last' });
	await socket.next((item) => item.object?.id === last.id);
	equal(idsOf(socket), [...kept.slice(2), both.id, last.id], 'each once');
});

await tap.test('ws_publishes_and_hears_itself', async (after) => {
	const socket = await open(after, { channel: 'demo.self' });
	await socket.op('welcome');
	socket.send({ op: 'publish', channel: 'demo.self', type: 'chat', data: 'hi', ref: 'a' });
	socket.send({ op: 'publish', channel: 'demo.self', data64: 'AAEC', ref: 2 });
	await until(() => socket.seen.filter((item) => item.object?.op === 'published').length === 2 && idsOf(socket).length === 2, 'two answers and two events');
	const answers = socket.seen.filter((item) => item.object?.op === 'published').map((item) => item.object);
	equal(answers.map(({ ref, id }) => [ref, id]), [['a', idsOf(socket)[0]], [2, idsOf(socket)[1]]], 'answers');
	const events = socket.seen.filter((item) => item.object?.id && !item.object.op).map(({ object: { type, data, data64 } }) => ({ type, data, data64 }));
	equal(events, [{ type: 'chat', data: 'hi' }, { type: 'message', data64: 'AAEC' }], 'events');
});

await tap.test('ws_publishes_a_key_once', async (after) => {
	const socket = await open(after);
	const op = { op: 'publish', channel: 'demo.key', data: 1, key: 'k1' };
	socket.send(op);
	const first = await socket.op('published');
	socket.send(op);
	const second = await socket.op('published');
	equal([first.duplicate, second.duplicate, second.id], [undefined, true, first.id], 'duplicate');
});

await tap.test('ws_answers_a_ping_op', async (after) => {
	const socket = await open(after, { channel: 'x' });
	socket.send({ op: 'ping', ref: 3 });
	const pong = await socket.op('pong');
	equal(pong.ref, 3, 'ref');
	check(/^\d{13}-\d{5}$/.test(pong.at), pong.at);
});

for (const [what, message, code] of [
	['an unknown op', '{"op":"dance","ref":9}', 'unknown_op'],
	['no op', '{"ref":9}', 'bad_request'],
	['bad JSON', '{"op":', 'bad_json'],
	['an array', '[1]', 'bad_request'],
	['a closed channel', '{"op":"subscribe","channel":"secret.x","ref":9}', 'forbidden'],
	['a bad channel', '{"op":"subscribe","channel":"a*","ref":9}', 'bad_channel'],
	['a bad cursor', '{"op":"subscribe","channel":"x","after":"12","ref":9}', 'bad_after'],
	['a publish that no rule allows', '{"op":"publish","channel":"news","data":1,"ref":9}', 'forbidden'],
	['a reserved type', '{"op":"publish","channel":"demo.x","type":"open","data":1,"ref":9}', 'bad_request'],
])
	await tap.test(`ws_stays_after_${what.replaceAll(' ', '_')}`, async (after) => {
		const socket = await open(after);
		socket.send(message);
		const error = await socket.op('error');
		equal([error.code, error.ref], [code, message.includes('"ref":9') ? 9 : undefined], 'error');
		socket.send({ op: 'ping' });
		await socket.op('pong');
	});

/* Cursors. */

await tap.test('ws_resumes_by_url', async (after) => {
	const ids = await publishMany('resume', 6);
	for (const [cursor, expected] of [[ids[3], ids.slice(4)], ['-2', ids.slice(4)], ['0', ids], [ids[5], []]]) {
		const socket = await open(after, { channel: 'resume', after: cursor });
		await socket.op('live');
		equal(idsOf(socket), expected, `after=${cursor}`);
		socket.close();
	}
});

await tap.test('ws_declares_gaps', async (after) => {
	const ids = await publishMany('ws.deleted', 3);
	await server.private('DELETE', '/channels/ws.deleted');
	const { id } = await server.publish({ channel: 'ws.deleted', data: 'kept' });
	const byURL = await open(after, { channel: 'ws.deleted', after: ids[0] });
	const gap = await byURL.op('gap');
	equal([gap.channel, gap.after], ['ws.deleted', ids[0]], 'gap');
	check(gap.at >= ids[2] && gap.at < id, `the gap ends at ${gap.at}`);
	equal((await byURL.event()).object.id, id, 'the event behind it');
	const byOp = await open(after);
	byOp.send({ op: 'subscribe', channel: 'ws.deleted', after: ids[1] });
	equal((await byOp.op('gap')).after, ids[1], 'gap by op');
	equal((await byOp.event()).object.id, id, 'the event behind it');
});

await tap.test('ws_resumes_without_loss_when_workers_are_killed', async (after) => {
	const ids = [], got = [];
	let cursor = null, ended = false, reconnects = 0, socket;
	after(() => {
		ended = true;
		socket?.close();
	});
	// What a client does, by the contract: its cursor is the newest of welcome, live and events.
	const client = (async () => {
		while (!ended) {
			try {
				socket = await Socket.open(server.events({ channel: 'ws.killed', ...(cursor && { after: cursor }) }));
				for (;;) {
					const item = await socket.next(undefined, 30000);
					if (item.closed !== undefined)
						break;
					const { op, at, id } = item.object;
					if (op === undefined)
						got.push(id);
					cursor = [cursor ?? '', at ?? id].sort()[1];
				}
			} catch { /* connection refused or reset: again */ }
			reconnects++;
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	})();
	client.catch(() => {});
	await until(() => cursor !== null, 'welcome');
	for (let n = 0; n < 200; n++) {
		ids.push((await server.publish({ channel: 'ws.killed', data: n })).id);
		if (n % 80 === 40)
			await server.killWorkers();
	}
	await until(() => got.at(-1) === ids.at(-1), 'the last event');
	equal(got, ids, 'ids');
	check(reconnects >= 2, `${reconnects} reconnects`);
}, 30000);

/* Frames. */

await tap.test('ws_takes_fragments_with_pings_between', async (after) => {
	const socket = await open(after, { channel: 'demo.parts' });
	await socket.op('welcome');
	const message = JSON.stringify({ op: 'publish', channel: 'demo.parts', data: 'λ漢🚀'.repeat(50), ref: 1 });
	const bytes = Buffer.from(message);
	for (let i = 0; i < bytes.length; i += 7) {
		socket.socket.send(bytes.subarray(i, i + 7), { binary: false, fin: i + 7 >= bytes.length });
		if (i === 70)
			socket.socket.ping('between');
	}
	equal((await socket.next((item) => item.pong !== undefined)).pong, 'between', 'pong');
	equal((await socket.event()).object.data, 'λ漢🚀'.repeat(50), 'data');
});

await tap.test('ws_answers_pings_with_their_bytes', async (after) => {
	const socket = await open(after);
	for (const text of ['', 'x', 'y'.repeat(125)]) {
		socket.socket.ping(text);
		equal((await socket.next((item) => item.pong !== undefined)).pong, text, 'pong');
	}
});

await tap.test('ws_pings_and_tells_that_it_is_live', async (after) => {
	const socket = await open(after, { channel: 'quiet' });
	await socket.op('live', 4000);
	await until(() => socket.pings >= 2, 'two pings', 5000);
	equal(socket.socket.readyState, 1, 'open');
});

await tap.test('ws_without_pongs_is_dead', async (after) => {
	const socket = await open(after, { channel: 'quiet' }, [], { autoPong: false });
	equal((await socket.closed(8000)).closed, 1006, 'close');
	check(socket.pings >= 2, `after ${socket.pings} pings`);
});

await tap.test('ws_returns_a_close', async (after) => {
	for (const code of [1000, 1001, 3000, 4999]) {
		const socket = await open(after, { channel: 'x' });
		socket.socket.close(code, 'bye');
		equal((await socket.closed()).closed, code, 'close');
	}
});

for (const [what, code, misbehave] of [
	['binary_frames_with_v1', 1003, (socket) => socket.send(Buffer.from('x'))],
	['text_that_is_not_UTF-8', 1007, (socket) => socket.send(Buffer.from([0x7b, 0xff]), { binary: false })],
	['unmasked_frames', 1002, (socket) => socket.send('{}', { mask: false })],
	['a_frame_that_is_too_large', 1009, (socket) => socket.send('x'.repeat(2 << 20))],
])
	await tap.test(`ws_closes_with_${code}_for_${what}`, async (after) => {
		const socket = await open(after, { channel: 'x' });
		misbehave(socket.socket);
		equal((await socket.closed()).closed, code, 'close');
	});

await tap.test('ws_raw_closes_with_1008_where_it_may_not_publish', async (after) => {
	const socket = await open(after, { channel: 'news' }, ['ringcast.raw']);
	socket.send('x');
	const end = await socket.closed();
	equal([end.closed, end.reason], [1008, 'forbidden'], 'close');
});

await tap.test('ws_raw_carries_bare_data_only', async (after) => {
	const socket = await open(after, { channel: 'demo.bare' }, ['ringcast.raw']);
	await server.publish({ channel: 'demo.bare', data: 'text' });
	await server.publish({ channel: 'demo.bare', data: { a: 1 } });
	await server.publish({ channel: 'demo.bare', data64: 'AAE=' });
	const got = [await socket.next(), await socket.next(), await socket.next()];
	equal(got.map(({ bytes, binary }) => [bytes.toString('hex'), binary]),
		[['74657874', false], [Buffer.from('{"a":1}').toString('hex'), false], ['0001', true]], 'frames');
});

await tap.test('ws_is_told_of_a_channel_that_was_deleted', async (after) => {
	const socket = await open(after, { channel: 'gone' });
	await socket.op('welcome');
	equal((await server.private('DELETE', '/channels/gone?disconnect=1')).status, 200, 'deleted');
	const unsubscribed = await socket.op('unsubscribed');
	equal([unsubscribed.channel, unsubscribed.reason], ['gone', 'deleted'], 'unsubscribed');
});

await tap.test('ws_closes_with_1001_when_the_server_stops', async (after) => {
	const other = await Server.boot({ workers: 1 });
	after(() => other.destroy());
	const socket = await Socket.open(other.events({ channel: 'x' }));
	after(() => socket.close());
	await socket.op('welcome');
	const stopped = other.stop();
	equal((await socket.closed()).closed, 1001, 'close');
	await stopped;
});

await tap.test('server_leaves_nothing', () => server.stop());
tap.end();
