// follow.mjs: clients that follow a channel across whatever ends their connection, as the contract says. For Node and pages alike,
// as exchange.mjs.
//
// A follower: {ids, gaps, ends, begun, error, stop()}: the ids of the events that came, how often it was told of a gap, how often
// a connection ended under it, whether it has begun; what it cannot go on after.

import { address } from './exchange.mjs';

const PAUSE_MS = 30;

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

const open = {
	// The client comes back by itself, with Last-Event-ID.
	sse(kit, url, channel, follower) {
		const source = kit.eventSource(address(url, { channel }));
		source.addEventListener('ringcast.welcome', () => (follower.begun = true));
		source.addEventListener('ringcast.gap', () => follower.gaps++);
		source.onmessage = ({ lastEventId }) => follower.ids.push(lastEventId);
		source.onerror = () => {
			follower.ends++;
			if (source.readyState === 2 && !follower.stopped)
				follower.error = 'the EventSource gave up';
		};
		follower.close = () => source.close();
	},

	// The page comes back, after the newest of welcome, live and events.
	websocket(kit, url, channel, follower) {
		let cursor = '';
		const connect = () => {
			const socket = kit.webSocket(address(url, { channel, ...(cursor && { after: cursor }) }).replace(/^http/, 'ws'), ['ringcast.v1']);
			follower.close = () => socket.close();
			socket.onmessage = ({ data }) => {
				const { op, at, id } = JSON.parse(data);
				if (op === undefined)
					follower.ids.push(id);
				else if (op === 'gap')
					follower.gaps++;
				follower.begun = true;
				cursor = [cursor, at ?? id].sort()[1];
			};
			socket.onclose = async () => {
				follower.ends++;
				await pause();
				if (!follower.stopped)
					connect();
			};
			socket.onerror = () => {};
		};
		connect();
	},

	async longpoll(kit, url, channel, follower) {
		let after = null;
		while (!follower.stopped) {
			try {
				const response = await kit.fetch(address(url, { channel, ...(after !== null && { after, wait: 5 }) }));
				const answer = await response.json();
				after = answer.next;
				follower.ids.push(...answer.events.map(({ id }) => id));
				follower.gaps += answer.gaps.length;
				follower.begun = true;
			} catch {
				follower.ends++;
				await pause();
			}
		}
	},
};

const needs = { sse: 'eventSource', websocket: 'webSocket', longpoll: 'polls' };

// A follower for each transport that the kit speaks, by its name.
export function followAll(kit, url, channel) {
	const ways = Object.keys(open).filter((way) => kit[needs[way]]);
	return Object.fromEntries(ways.map((way) => {
		const follower = { ids: [], gaps: 0, ends: 0, begun: false, stopped: false, error: null };
		follower.stop = () => {
			follower.stopped = true;
			follower.close?.();
		};
		open[way](kit, url, channel, follower)?.catch((error) => (follower.error = String(error)));
		return [way, follower];
	}));
}
