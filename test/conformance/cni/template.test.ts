import { expect, it } from 'vitest';
import { fillTemplate } from './template.ts';

const VALUES = { containerId: 'c-3', netns: '/run/netns/c-3', number: 3 };

it('a configuration is filled in wherever a text stands', () => {
  const template = {
    device: 'host{{number}}',
    list: ['{{netns}}', 7, null],
    deep: { id: '{{containerId}}-{{number}}' },
  };
  expect(fillTemplate(template, VALUES)).toEqual({
    device: 'host3',
    list: ['/run/netns/c-3', 7, null],
    deep: { id: 'c-3-3' },
  });
});

it('a placeholder that there is not is refused', () => {
  expect(() => fillTemplate({ a: '{{pod}}' }, VALUES)).toThrow('{{pod}} is no placeholder');
});
