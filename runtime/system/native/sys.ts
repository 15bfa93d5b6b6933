/**
 * The native host's whole surface, typed: thin wrappers of system calls on `globalThis.sys`, which runtime/engine/host
 * implements in C. Only runtime/system/native and the rooms of the static binary see it.
 *
 * A failing call throws a SysError. Calls on non-blocking descriptors (read, write, accept, connect, receive, flock
 * with LOCK_NB) answer -EAGAIN, as the number `EAGAIN`, instead of throwing it. EINTR is retried. Every descriptor
 * is made close-on-exec.
 */
export interface SysError extends Error {
  /** errno name: ENOENT, EBUSY ... */
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

export interface Stat {
  readonly dev: number;
  readonly ino: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  /** st_blocks, of 512 bytes. */
  readonly blocks: number;
}

export interface StatVfs {
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  /** What is left for others than root. */
  readonly blocksAvailable: number;
  readonly files: number;
  readonly filesAvailable: number;
  /** Of the mount, or of the file system below it. */
  readonly isReadOnly: boolean;
}

export interface Exit {
  readonly pid: number;
  /** Exit status; -1 if a signal ended it. */
  readonly code: number;
  readonly signal: number;
}

export interface SpawnRequest {
  readonly argv: readonly string[];
  /** Searched in the PATH of `env` if it has no slash. Default: argv[0]. */
  readonly file?: string;
  /** KEY=value; default: the own environment. */
  readonly env?: readonly string[];
  /** Index in the child -> descriptor of the parent; -1 is /dev/null. All others are closed. */
  readonly fds: readonly number[];
  /** Descriptor of a network namespace that the child enters. */
  readonly netns?: number;
  readonly cwd?: string;
  readonly setsid?: boolean;
  /** Signal that the child gets when the parent dies. */
  readonly parentDeathSignal?: number;
}

export interface Sys {
  /**
   * What a process of the program runs, set by its entry file. The build loads the modules, once, and every process begins
   * with what they have left in memory (engine/host/heap-image.c): while they are loaded there are no system calls, only
   * what is below Text.
   */
  main: () => void;
  /**
   * Of a program that lives for milliseconds: its memory comes at once, and not page by page, each for a fault. Others
   * share the pages that they do not write to.
   */
  isBrief: boolean;

  // Loop. A watch stays until replaced; null, null removes it. close() removes it too.
  watch(fd: number, readable: (() => void) | null, writable: (() => void) | null): void;
  setTimer(milliseconds: number, callback: () => void): number;
  clearTimer(timer: number): void;

  // Text
  utf8Encode(text: string): Uint8Array<ArrayBuffer>;
  utf8Decode(bytes: Uint8Array): string;
  /** `errno` number -> name and text, for netlink's and agents' error numbers. */
  strerror(errno: number): { code: string; message: string };
  /** Engine and C library, for `berth version`. */
  versions(): { engine: string; libc: string };

  // Descriptors and files
  open(path: string, flags: number, mode?: number): number;
  /** `path` is found from the directory `fd` as `resolve` says (openat2(2)). Throws EXDEV where it would lead elsewhere. */
  openat2(fd: number, path: string, flags: number, resolve: number): number;
  close(fd: number): void;
  /** Reads into `buffer` from `offset`: bytes read, 0 at the end, EAGAIN. */
  read(fd: number, buffer: Uint8Array, offset?: number, length?: number): number;
  write(fd: number, buffer: Uint8Array, offset?: number, length?: number): number;
  /** The whole file. Throws ENOENT. */
  readFile(path: string): Uint8Array;
  /** The whole file; null when there is none (ENOENT, ENOTDIR). */
  findFile(path: string): Uint8Array | null;
  fsync(fd: number): void;
  ftruncate(fd: number, length: number): void;
  fallocate(fd: number, mode: number, offset: number, length: number): void;
  lseek(fd: number, offset: number, whence: number): number;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  mkdir(path: string, mode: number): void;
  rmdir(path: string): void;
  symlink(target: string, path: string): void;
  readlink(path: string): string;
  /** Names, without `.` and `..`. */
  readdir(path: string): string[];
  /** null when there is none (ENOENT, ENOTDIR). Follows symbolic links. */
  stat(path: string): Stat | null;
  lstat(path: string): Stat | null;
  fstat(fd: number): Stat;
  statvfs(path: string): StatVfs;
  chmod(path: string, mode: number): void;
  /** Does not follow symbolic links. */
  chown(path: string, uid: number, gid: number): void;
  /**
   * The file or the whole tree at `path` becomes the group's: readable and writable for it, directories setgid too. What
   * is so already is not touched; symbolic links change their group only; `path` itself comes last.
   */
  giveToGroup(path: string, gid: number): void;
  mknod(path: string, mode: number, major: number, minor: number): void;
  /** 0, or EAGAIN with LOCK_NB when another open file holds it. */
  flock(fd: number, operation: number): number;
  chdir(path: string): void;
  chroot(path: string): void;
  umask(mask: number): number;
  mount(source: string | null, target: string, type: string | null, flags: number, data: string | null): void;
  umount(target: string, flags: number): void;
  /** Sets MOUNT_ATTR_* of a mount; `flags` AT_RECURSIVE: and of all mounts below. */
  mountSetattr(path: string, flags: number, attributes: number): void;
  pivotRoot(newRoot: string, putOld: string): void;
  finitModule(fd: number, parameters: string): void;
  sync(): void;

  // Sockets; addresses are bytes (sockaddr), built in TypeScript
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): void;
  connect(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): void;
  /** A non-blocking descriptor. */
  accept(fd: number): number;
  setsockopt(fd: number, level: number, option: number, value: number): void;
  /** SO_ERROR and its like. */
  getsockopt(fd: number, level: number, option: number): number;
  /** The next datagram, whole, whatever its size. */
  receive(fd: number): Uint8Array | typeof EAGAIN;

  // Processes
  /** A pid. Throws what made the child fail before or in exec. */
  spawn(request: SpawnRequest): number;
  /** null when no child has ended. */
  waitpid(pid: number, flags: number): Exit | null;
  kill(pid: number, signal: number): void;
  getpid(): number;
  getppid(): number;
  prctl(operation: number, second: number, third: number): number;
  /** Becomes the program, with the pid that this one has. After a throw its signals are a new program's: it can only end. */
  exec(request: Omit<SpawnRequest, 'parentDeathSignal'>): never;
  setsid(): number;
  /** To no supplementary group. */
  setgroups(): void;
  /** Real, effective and saved, as does setresuid. */
  setresgid(gid: number): void;
  setresuid(uid: number): void;
  /** Effective, permitted and inheritable capabilities, a bit for each: these, and no others. */
  capset(mask: number): void;
  /** Adds a seccomp filter: instructions of classic BPF, of 8 bytes each. */
  seccomp(program: Uint8Array): void;
  /** Blocks the signals and answers a descriptor that reads signalfd_siginfo structures of 128 bytes. */
  signalfd(signals: readonly number[]): number;
  /** Two descriptors: [read end, write end]. */
  pipe(): [number, number];
  dup2(from: number, to: number): void;
  setNonBlocking(fd: number): void;
  setns(fd: number, type: number): void;
  unshare(flags: number): void;
  /** `argument` is read and written by the kernel. EINVAL for requests that engine/host/ioctl.c does not list. */
  ioctl(fd: number, request: number, argument: Uint8Array | number): number;
  sethostname(name: string): void;
  reboot(command: number): void;

  // Self
  /** [0] is the name that the program was called by. */
  args(): string[];
  env(): Record<string, string>;
  /** Monotonic, milliseconds. */
  now(): number;
  getrandom(length: number): Uint8Array<ArrayBuffer>;
  /** Collects garbage. */
  gc(): void;
  exit(code: number): never;
}

export const sys: Sys = (globalThis as unknown as { sys: Sys }).sys;

export const EAGAIN = -11;

/** Linux, x86-64 (asm-generic): the constants that berth passes. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DIRECT: 0o40000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  PATH: 0o10000000,
} as const;
export const RESOLVE = { NO_MAGICLINKS: 2, BENEATH: 8 } as const;
export const AF = { UNIX: 1, INET: 2, INET6: 10, NETLINK: 16 } as const;
export const SOCK = { STREAM: 1, DGRAM: 2, RAW: 3, NONBLOCK: 0o4000 } as const;
export const LOCK = { SH: 1, EX: 2, NB: 4, UN: 8 } as const;
export const MS = { BIND: 0x1000, REC: 0x4000, PRIVATE: 0x40000 } as const;
export const MOUNT_ATTR = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8 } as const;
export const AT_RECURSIVE = 0x8000;
export const MNT_DETACH = 2;
export const CLONE = { NEWNS: 0x20000, NEWIPC: 0x8000000, NEWNET: 0x40000000, NEWPID: 0x20000000 } as const;
export const SIG = { HUP: 1, INT: 2, QUIT: 3, KILL: 9, USR1: 10, PIPE: 13, TERM: 15, CHLD: 17, CONT: 18 } as const;
export const WNOHANG = 1;
export const S_IFMT = 0o170000;
export const S_IF = {
  SOCK: 0o140000,
  LNK: 0o120000,
  REG: 0o100000,
  BLK: 0o060000,
  DIR: 0o040000,
  CHR: 0o020000,
  FIFO: 0o010000,
} as const;
