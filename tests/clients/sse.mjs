// sse.mjs: npm's eventsource against a real server: types, cursors, resuming, refusals, beats.

import { Stream } from './clients.mjs';
import { Server } from './server.mjs';
import { Tap, check, equal, until } from './tap.mjs';

const tap = new Tap();
const server = await Server.boot({ beat_s: { sse: 1, ws: 1 }, retry_ms: 200 });

function open(after, parameters, options) {
	const stream = new Stream(server.events(parameters), options);
	after(() => stream.close());
	return stream;
}

// A promise of what went wrong, which never goes unhandled.
const settled = (promise) => promise.then(() => null, (error) => error.message);

async function publishMany(channel, count) {
	const { ids } = await server.publish(Array.from({ length: count }, (_, n) => ({ channel, data: String(n) })));
	return ids;
}

await tap.test('sse_head_is_that_of_a_stream', async () => {
	const abort = new AbortController();
	const response = await fetch(server.events({ channel: 'head' }), { headers: { Accept: 'text/event-stream' }, signal: abort.signal });
	equal(response.status, 200, 'status');
	equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8', 'type');
	equal(response.headers.get('cache-control'), 'no-cache, no-transform', 'cache');
	equal(response.headers.get('x-accel-buffering'), 'no', 'buffering');
	equal(response.headers.get('transfer-encoding'), null, 'chunks');
	const { value } = await response.body.getReader().read();
	check(/^retry: \d+\n\nevent: ringcast\.welcome\ndata: \{"op":"welcome".*\}\nid: \d{13}-\d{5}\n\n/.test(Buffer.from(value).toString()), 'welcome');
	abort.abort();
});

await tap.test('sse_welcomes_with_a_cursor', async (after) => {
	const stream = open(after, { channel: 'welcome' });
	const welcome = await stream.event('ringcast.welcome');
	const object = JSON.parse(welcome.data);
	equal([object.op, object.beat_s, object.at], ['welcome', 1, welcome.id], 'welcome');
	check(/^\d{13}-\d{5}$/.test(object.at), object.at);
});

await tap.test('sse_names_the_types_and_channels_are_several', async (after) => {
	const stream = open(after, [['channel', 'a'], ['channel', 'b']], { types: ['notice'] });
	await stream.event('ringcast.welcome');
	await server.publish({ channel: 'other', data: 'foreign' });
	const first = await server.publish({ channel: 'a', type: 'notice', data: 'one' });
	const second = await server.publish({ channel: ['x', 'b', 'a'], data: 'two' });
	const third = await server.publish({ channel: 'b', data: 'three' });
	equal(await stream.next((item) => !item.type.startsWith('ringcast.')), { type: 'notice', data: 'one', id: first.id }, 'first');
	equal(await stream.next((item) => !item.type.startsWith('ringcast.')), { type: 'message', data: 'two', id: second.id }, 'second');
	equal(await stream.next((item) => !item.type.startsWith('ringcast.')), { type: 'message', data: 'three', id: third.id }, 'third, with no second copy before it');
});

await tap.test('sse_as_json_names_channel_and_type', async (after) => {
	const stream = open(after, [['channel', 'ja'], ['channel', 'jb'], ['format', 'json']], { types: ['notice'] });
	await stream.event('ringcast.welcome');
	const { id } = await server.publish({ channel: ['x', 'jb', 'ja'], type: 'notice', data: { n: 1 } });
	equal((await stream.event('message')).data, `{"id":"${id}","channel":"jb","type":"notice","data":{"n":1}}`, 'the first of its channels that is subscribed');
});

await tap.test('sse_beats_and_the_beat_moves_the_cursor', async (after) => {
	const stream = open(after, { channel: 'quiet' });
	await stream.event('ringcast.welcome');
	const { id } = await server.publish({ channel: 'busy', data: 1 });
	const beat = await stream.next((item) => item.type === 'ringcast.live' && item.id >= id, 4000);
	equal(JSON.parse(beat.data), { op: 'live', at: beat.id }, 'beat');
});

await tap.test('sse_replays_after_an_id_the_last_and_all', async (after) => {
	const ids = await publishMany('kept', 10);
	for (const [cursor, expected] of [[ids[6], ids.slice(7)], ['-3', ids.slice(7)], ['0', ids], [ids[9], []]]) {
		const stream = open(after, { channel: 'kept', after: cursor });
		await stream.event('ringcast.live');
		equal(stream.seen.filter((item) => item.type === 'message').map((item) => item.id), expected, `after=${cursor}`);
		stream.close();
	}
});

await tap.test('sse_takes_the_cursor_of_polyfills', async (after) => {
	const ids = await publishMany('polyfill', 3);
	for (const name of ['lastEventId', 'lastEventID', 'last_event_id', 'Last-Event-ID']) {
		const stream = open(after, { channel: 'polyfill', after: 0, [name]: ids[1] });
		await stream.event('ringcast.live');
		equal(stream.seen.filter((item) => item.type === 'message').map((item) => item.id), [ids[2]], name);
		stream.close();
	}
	const stream = open(after, { channel: 'polyfill', lastEventId: ids[0] }, { headers: { 'Last-Event-ID': ids[1] } });
	await stream.event('ringcast.live');
	equal(stream.seen.filter((item) => item.type === 'message').map((item) => item.id), [ids[2]], 'the header counts first');
});

await tap.test('sse_tells_a_gap_for_a_malformed_last_event_id', async (after) => {
	const stream = open(after, { channel: 'polyfill' }, { headers: { 'Last-Event-ID': 'x y' } });
	equal(JSON.parse((await stream.event('ringcast.gap')).data).channel, 'polyfill', 'gap');
	await stream.event('ringcast.live');
});

await tap.test('sse_tells_a_gap_where_history_was_deleted', async (after) => {
	const ids = await publishMany('deleted', 3);
	equal((await server.private('DELETE', '/channels/deleted')).status, 200, 'deleted');
	const { id } = await server.publish({ channel: 'deleted', data: 'kept' });
	const stream = open(after, { channel: 'deleted', after: ids[0] });
	const gap = JSON.parse((await stream.event('ringcast.gap')).data);
	equal([gap.op, gap.channel, gap.after], ['gap', 'deleted', ids[0]], 'gap');
	check(gap.at >= ids[2] && gap.at < id, `the gap ends at ${gap.at}, before ${id}`);
	equal((await stream.event('message')).id, id, 'the event behind it');
	const merelyQuiet = open(after, { channel: 'quiet', after: ids[0] });
	await merelyQuiet.event('ringcast.live');
	check(merelyQuiet.seen.every((item) => item.type !== 'ringcast.gap'), 'no false alarm');
});

await tap.test('sse_resumes_without_loss_when_workers_are_killed', async (after) => {
	const streams = Array.from({ length: 6 }, () => open(after, { channel: 'killed' }));
	for (const stream of streams)
		await stream.event('ringcast.welcome');
	const ids = [];
	const kills = [];
	for (let n = 0; n < 300; n++) {
		ids.push((await server.publish({ channel: 'killed', data: n })).id);
		if (n % 100 === 50)
			kills.push(settled(server.killWorkers(1)));
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
	for (const fault of await Promise.all(kills))
		equal(fault, null, 'fault of a kill');
	for (const stream of streams) {
		await until(() => stream.seen.some((item) => item.id === ids.at(-1) && item.type === 'message'), 'the last event');
		equal(stream.seen.filter((item) => item.type === 'message').map((item) => item.id), ids, 'ids');
	}
	const cursors = streams.flatMap((stream) => stream.requests.slice(1).map((headers) => headers['Last-Event-ID']));
	check(cursors.length >= 3 && cursors.every((cursor) => /^\d{13}-\d{5}$/.test(cursor)), `came back with ${cursors}`);
}, 30000);

for (const [what, parameters, code] of [
	['a channel that is closed', { channel: 'secret.x' }, 403],
	['no channel', {}, 400],
	['a bad channel', { channel: '$x' }, 400],
	['a bad cursor', { channel: 'x', after: 'yesterday' }, 400],
])
	await tap.test(`sse_gives_up_on_${what.replaceAll(' ', '_')}`, async (after) => {
		const error = await open(after, parameters).event('error');
		equal([error.code, error.final], [code, true], what);
	});

await tap.test('sse_gives_up_on_a_path_that_is_none', async (after) => {
	const stream = new Stream(`${server.url}/nothing`);
	after(() => stream.close());
	equal((await stream.event('error')).code, 404, 'code');
});

await tap.test('sse_streams_end_well_when_the_server_stops', async (after) => {
	const other = await Server.boot({ workers: 1 });
	after(() => other.destroy());
	const response = await fetch(other.events({ channel: 'x', stream: 'sse' }));
	const text = response.text();
	await other.stop();
	check(/\n\nretry: \d+\n\n$/.test(await text), 'the stream ends with a jittered retry and no error');
});

await tap.test('server_leaves_nothing', () => server.stop());
tap.end();
