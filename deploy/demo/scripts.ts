/** What the containers of the demo run. Each prints facts as lines `key value`, which the demo waits for. */

const DATA_MIB = 8;
const CONTENT = '/data/random';

const FACTS = `
echo "kernel $(uname -r)"
echo "disk $(echo $(df -h /data | tail -n 1))"
`;
/** The checksum of standard input, alone. */
export const SHA256 = 'sha256sum | cut -c 1-64';

/** Makes the data, serves them until SIGTERM. */
export const WRITER = `
set -e
head -c ${DATA_MIB << 20} /dev/urandom >${CONTENT}
sync
${FACTS}
httpd -f -p 80 -h /data &
trap 'kill $!; exit 0' TERM
echo "serving $(<${CONTENT} ${SHA256})"
wait
`;

/** Fetches the data from another pod's VM as soon as it serves them. */
export const FETCHER = (address: string): string => `
until wget -q -O /tmp/random http://${address}/random; do sleep 1; done
echo "fetched $(</tmp/random ${SHA256})"
echo "route $(ip -4 route get ${address} | head -n 1)"
`;

/** Finds the data again. */
export const READER = `
set -e
${FACTS}
echo "found $(<${CONTENT} ${SHA256})"
`;
