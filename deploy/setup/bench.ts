/** `npm run bench` */
export { main } from '../../bench/main.ts';
