// The bridge between the model and the templates: a template that reads a topic runs again when it changes.
import { createSubscriber } from 'svelte/reactivity';
import type { Model, Topic } from './model';

/** Make a reader per topic. */
export function liveViews(model: Model): Record<Topic, () => Model> {
  const reader = (topic: Topic) => {
    const track = createSubscriber((update) => model.subscribe(topic, update));
    return () => (track(), model);
  };
  return {
    alerts: reader('alerts'),
    readings: reader('readings'),
    points: reader('points'),
    link: reader('link'),
    second: reader('second'),
    tests: reader('tests'),
  };
}
