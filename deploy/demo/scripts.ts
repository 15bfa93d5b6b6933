/** What the containers of the demo run. Each prints facts as lines `key value`, which the demo waits for. */

const DATA_MIB = 8;
export const CONTENT = '/data/random';

const facts = `
echo "kernel $(uname -r)"
echo "disk $(df -h /data | tail -n 1)"
`;

/** Makes the data, serves them until SIGTERM. */
export const WRITER = `
set -e
head -c ${DATA_MIB << 20} /dev/urandom >${CONTENT}
sync
${facts}
httpd -f -p 80 -h /data &
trap 'kill $!; exit 0' TERM
echo "serving $(sha256sum <${CONTENT})"
wait
`;

/** Fetches the data from another pod's VM as soon as it serves them. */
export const FETCHER = (address: string): string => `
until wget -q -O /tmp/random http://${address}/random; do sleep 1; done
echo "fetched $(sha256sum </tmp/random)"
echo "route $(ip -4 route get ${address} | head -n 1)"
`;

/** Finds the data again. */
export const READER = `
set -e
${facts}
echo "found $(sha256sum <${CONTENT})"
`;
