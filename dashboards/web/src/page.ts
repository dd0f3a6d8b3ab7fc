// The parts of this page, put together once.
import { Desk } from './desk.svelte';
import { client, live, model } from './session';
import { sound } from './sound/sound.svelte';

export { client, live, model, sound };
export const desk = new Desk(model, client);

/** The site's clock: the offset the service writes, or this computer's when it writes UTC. */
export function siteOffset(): number {
  return model.siteOffsetMin || -new Date().getTimezoneOffset();
}
