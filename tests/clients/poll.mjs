// poll.mjs: short and long polls by fetch, as an application without a library would write them.

import http from 'node:http';
import { Server, ask } from './server.mjs';
import { Tap, check, equal } from './tap.mjs';

const tap = new Tap();
const server = await Server.boot();

async function get(parameters, options) {
	const response = await fetch(server.events(parameters), options);
	return { status: response.status, headers: response.headers, ...await response.json() };
}

async function publishMany(channel, count, data = (n) => String(n)) {
	const { ids } = await server.publish(Array.from({ length: count }, (_, n) => ({ channel, data: data(n) })));
	return ids;
}

const idsOf = (answer) => answer.events.map((event) => event.id);

await tap.test('poll_without_after_answers_at_once_with_the_cursor', async () => {
	const { id } = await server.publish({ channel: 'start', data: 1 });
	for (const wait of [{}, { wait: 20 }]) {
		const answer = await get({ channel: 'start', ...wait });
		equal([answer.status, answer.events, answer.more, answer.gaps], [200, [], false, []], 'answer');
		check(answer.next >= id, `next ${answer.next}`);
		equal([answer.headers.get('content-type'), answer.headers.get('cache-control'), answer.headers.get('etag')],
			['application/json', 'no-store', null], 'head');
	}
});

await tap.test('poll_follows_its_cursor', async () => {
	const ids = await publishMany('follow', 10);
	const first = await get({ channel: 'follow', after: 0, limit: 4 });
	equal([idsOf(first), first.more, first.next], [ids.slice(0, 4), true, ids[3]], 'first');
	const second = await get({ channel: 'follow', after: first.next });
	equal([idsOf(second), second.more], [ids.slice(4), false], 'second');
	const third = await get({ channel: 'follow', after: second.next });
	equal([idsOf(third), third.more], [[], false], 'third');
});

await tap.test('poll_takes_every_form_of_after', async () => {
	const ids = await publishMany('after', 5);
	const [ms, counter] = ids[2].split('-');
	for (const [cursor, expected] of [
		['0', ids], ['-2', ids.slice(3)], [ids[2], ids.slice(3)], [`${Number(ms)}-${Number(counter)}`, ids.slice(3)],
		[ms, ids.filter((id) => id.slice(0, 13) >= ms)],
	])
		equal(idsOf(await get({ channel: 'after', after: cursor })), expected, `after=${cursor}`);
});

await tap.test('poll_merges_channels_by_id_each_event_once', async () => {
	const { ids } = await server.publish([{ channel: 'm1', data: 1 }, { channel: ['m2', 'm1'], data: 2 }, { channel: 'm3', data: 3 }, { channel: 'm2', data: 4 }]);
	const answer = await get([['channel', 'm1'], ['channel', 'm2'], ['after', '0']]);
	equal(answer.events.map(({ id, channel }) => [id, channel]), [[ids[0], 'm1'], [ids[1], 'm2'], [ids[3], 'm2']], 'events');
});

await tap.test('poll_next_moves_past_what_is_foreign', async () => {
	const { next } = await get({ channel: 'nothing' });
	const { id } = await server.publish({ channel: 'something', data: 1 });
	const answer = await get({ channel: 'nothing', after: next });
	check(answer.next >= id && answer.events.length === 0, `next ${answer.next}`);
});

await tap.test('poll_answers_at_most_a_mebibyte_but_at_least_one_event', async () => {
	const ids = await publishMany('large', 8, () => 'x'.repeat(250000));
	const got = [];
	let after = 0, more = true, answers = 0;
	while (more) {
		const response = await fetch(server.events({ channel: 'large', after }));
		const text = await response.text();
		check(text.length <= 1 << 20, `${text.length} bytes`);
		const answer = JSON.parse(text);
		check(answer.events.length >= 1, 'at least one');
		got.push(...idsOf(answer));
		({ next: after, more } = answer);
		answers++;
	}
	equal([got, answers >= 2], [ids, true], 'events');
});

await tap.test('longpoll_wakes_for_an_event', async () => {
	const { next } = await get({ channel: 'wake' });
	const start = Date.now();
	const waiting = get({ channel: 'wake', after: next, wait: 15 });
	await new Promise((resolve) => setTimeout(resolve, 200));
	await server.publish({ channel: 'other', data: 'does not wake' });
	await new Promise((resolve) => setTimeout(resolve, 200));
	const { id } = await server.publish({ channel: 'wake', data: 1 });
	const answer = await waiting;
	equal(idsOf(answer), [id], 'events');
	check(Date.now() - start < 8000, 'it did not wait to the end');
});

await tap.test('longpoll_ends_empty_after_its_wait', async () => {
	const { next } = await get({ channel: 'empty' });
	const start = Date.now();
	const answer = await get({ channel: 'empty', after: next, wait: 1 });
	equal([answer.events, answer.more], [[], false], 'answer');
	check(Date.now() - start >= 900 && answer.next >= next, `after ${Date.now() - start} ms`);
});

await tap.test('longpoll_answers_at_once_what_is_kept', async () => {
	const ids = await publishMany('there', 2);
	const start = Date.now();
	equal(idsOf(await get({ channel: 'there', after: ids[0], wait: 15 })), [ids[1]], 'events');
	check(Date.now() - start < 8000, 'at once');
});

await tap.test('longpolls_lose_nothing_when_workers_are_killed', async () => {
	let { next } = await get({ channel: 'killed' });
	const ids = [], got = [];
	let published = false;
	const client = (async () => {
		while (!published || got.length < ids.length) {
			try {
				const answer = await get({ channel: 'killed', after: next, wait: 5 });
				got.push(...idsOf(answer));
				equal(answer.gaps, [], 'gaps');
				next = answer.next;
			} catch (error) {
				if (error.constructor.name === 'Failure')
					throw error;
			}
		}
	})();
	client.catch(() => {});
	for (let n = 0; n < 150; n++) {
		ids.push((await server.publish({ channel: 'killed', data: n })).id);
		if (n % 60 === 30)
			await server.killWorkers();
	}
	published = true;
	await client;
	equal(got, ids, 'ids');
}, 30000);

await tap.test('poll_declares_gaps', async () => {
	const ids = await publishMany('gap', 3);
	await server.private('DELETE', '/channels/gap');
	const { id } = await server.publish({ channel: 'gap', data: 'kept' });
	const answer = await get({ channel: 'gap', after: ids[0] });
	equal([idsOf(answer), answer.gaps.length, answer.gaps[0].channel, answer.gaps[0].after], [[id], 1, 'gap', ids[0]], 'answer');
	equal((await get({ channel: 'gap', after: id })).gaps, [], 'once');
	equal((await get({ channel: 'gap', after: 0 })).gaps, [], '0 never gaps');
	equal((await get({ channel: 'gap', after: '9999999999999-00000' })).gaps.length, 1, 'an id from the future');
});

await tap.test('poll_keeps_the_connection', async (after) => {
	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
	after(() => agent.destroy());
	const ports = new Set();
	for (let i = 0; i < 5; i++)
		await new Promise((resolve, reject) => {
			const request = http.get(server.events({ channel: 'keep', after: 0 }), { agent }, (response) => {
				ports.add(response.socket.localPort);
				response.resume().on('end', resolve);
			});
			request.on('error', reject);
		});
	equal(ports.size, 1, 'connections');
});

await tap.test('poll_answers_head_and_options', async () => {
	const head = await fetch(server.events({ channel: 'x' }), { method: 'HEAD' });
	equal([head.status, head.headers.get('content-type'), await head.text()], [200, 'application/json', ''], 'HEAD');
	const wrong = await ask({ port: server.port, host: '127.0.0.1', path: '/events?channel=x', method: 'PUT' });
	equal([wrong.status, wrong.headers.allow, wrong.json.error.code], [405, 'GET, HEAD, POST, OPTIONS', 'method_not_allowed'], 'PUT');
});

for (const [query, status, code] of [
	['', 400, 'no_channel'],
	['?channel=', 400, 'bad_channel'],
	['?channel=%ff', 400, 'bad_channel'],
	['?channel=a%0ab', 400, 'bad_channel'],
	['?channel=%24x', 400, 'bad_channel'],
	['?channel=a*', 400, 'bad_channel'],
	[`?channel=${'x'.repeat(256)}`, 400, 'bad_channel'],
	['?channel=secret.x', 403, 'forbidden'],
	['?channel=x&after=x', 400, 'bad_after'],
	['?channel=x&after=1700000000', 400, 'bad_after'],
	['?channel=x&wait=soon', 400, 'bad_request'],
	['?channel=x&limit=0', 400, 'bad_request'],
	['?channel=x&format=xml', 400, 'bad_request'],
	['?channel=x&format=raw', 400, 'bad_request'],
	[`?${Array.from({ length: 129 }, (_, i) => `channel=c${i}`).join('&')}`, 429, 'too_many_channels'],
])
	await tap.test(`poll_refuses_${(query.slice(1, 40) || 'nothing').replace(/[^\w=&%*.]/g, '_')}`, async () => {
		const response = await fetch(`${server.url}/events${query}`);
		const { error } = await response.json();
		equal([response.status, error.code, error.message.length > 0], [status, code, true], 'answer');
	});

for (const [what, parameters, type, body, status, code] of [
	['no channel', {}, 'text/plain', 'x', 400, 'no_channel'],
	['two channels', [['channel', 'demo.a'], ['channel', 'demo.b']], 'text/plain', 'x', 400, 'bad_request'],
	['a closed channel', { channel: 'news' }, 'text/plain', 'x', 403, 'forbidden'],
	['bad JSON', { channel: 'demo.x' }, 'application/json', '{"a":', 400, 'bad_json'],
	['bad UTF-8', { channel: 'demo.x' }, 'text/plain', Buffer.from([0xc3, 0x28]), 400, 'bad_utf8'],
	['another charset', { channel: 'demo.x' }, 'text/plain; charset=latin1', 'x', 415, 'unsupported_type'],
	['a stream', { channel: 'demo.x' }, 'application/x-ndjson', '{}', 400, 'bad_request'],
	['multipart', { channel: 'demo.x' }, 'multipart/form-data; boundary=x', 'x', 415, 'unsupported_type'],
	['a large body', { channel: 'demo.x' }, 'text/plain', 'x'.repeat(300000), 413, 'too_large'],
	['a reserved type', { channel: 'demo.x', type: 'ringcast.live' }, 'text/plain', 'x', 400, 'bad_request'],
])
	await tap.test(`post_refuses_${what.replaceAll(' ', '_')}`, async () => {
		const { pathname, search } = new URL(server.events(parameters));
		const answer = await ask({ port: server.port, host: '127.0.0.1', path: pathname + search, method: 'POST', headers: { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) } }, body);
		equal([answer.status, answer.json.error.code], [status, code], 'answer');
	});

await tap.test('post_publishes_a_key_once', async () => {
	const post = async () => (await fetch(server.events({ channel: 'demo.key' }), { method: 'POST', headers: { 'Idempotency-Key': 'k', 'Content-Type': 'text/plain' }, body: 'x' })).json();
	const first = await post();
	equal([await post(), first.duplicate], [{ id: first.id, duplicate: true }, undefined], 'answers');
	equal(idsOf(await get({ channel: 'demo.key', after: 0 })), [first.id], 'events');
});

await tap.test('health_and_readiness_answer', async () => {
	for (const path of ['healthz', 'readyz'])
		equal((await fetch(`${server.url}/${path}`)).status, 200, path);
	const nothing = await fetch(`${server.url}/`);
	equal([nothing.status, (await nothing.json()).error.message.includes('console')], [404, true], 'the console is off, and says so');
});

await tap.test('server_leaves_nothing', () => server.stop());
tap.end();
