package gates

import (
	"fmt"

	"syscallstory/world"
)

// IPC is an object of System V or a POSIX message queue. Root has made it; numbers count from 0 in each kind.
type IPC struct {
	Kind     string // shm, msg, sem, mq
	Mode     uint16
	UID, GID uint32
}

// The keys of the first objects of each kind; another one's is higher by its number.
var ipcKeys = map[string]int32{"shm": 0x10, "msg": 0x20, "sem": 0x30}

var ipcKinds = map[string]world.IPCKind{"shm": world.IPCShm, "msg": world.IPCMsg, "sem": world.IPCSem, "mq": world.IPCQueue}

// What each object holds: a segment's bytes, a queue's most bytes, a set's semaphores.
var ipcSizes = map[string]uint64{"shm": 4096, "msg": 16384, "sem": 2}

// number is an object's among those of its kind.
func (s *Scene) number(i int) (n int) {
	for _, o := range s.IPC[:i] {
		if o.Kind == s.IPC[i].Kind {
			n++
		}
	}
	return n
}

// ipc describes the objects to the model. The stage has an IPC namespace of its own.
func (b *model) ipc(s *Scene) {
	b.IPCAt = b.at
	b.NewIPCSettings(b.at)
	for i, o := range s.IPC {
		n := s.number(i)
		out := world.IPCObject{Kind: ipcKinds[o.Kind], ID: n, UID: world.KUID(o.UID), GID: world.KGID(o.GID), Mode: o.Mode, Size: ipcSizes[o.Kind], At: b.at}
		switch o.Kind {
		case "mq":
			out.Name = queueName(n)
		case "sem":
			out.Values = []uint16{0, 0}
			fallthrough
		default:
			out.Key = ipcKeys[o.Kind] + int32(n)
		}
		b.IPC = append(b.IPC, out)
	}
}

func queueName(n int) string { return fmt.Sprintf("q%d", n) }

// objects makes some.
func (g *gen) objects() {
	for range g.IntN(6) {
		g.s.IPC = append(g.s.IPC, IPC{Kind: pick(g, "shm", "msg", "sem", "mq"), Mode: pick[uint16](g, 0o600, 0o644, 0o660, 0o666, 0, 0o060, 0o006), UID: pick(g, ids...), GID: pick(g, ids...)})
	}
}

// object is the number of one of a kind, or of none.
func (g *gen) object(kind string) string { return pick(g, "0", "0", "1", "1", "2", "99", "-1") }

// key is that of an object of a kind, or of none.
func (g *gen) key(kind string) string {
	return pick(g, fmt.Sprintf("%#x", ipcKeys[kind]), fmt.Sprintf("%#x", ipcKeys[kind]), fmt.Sprintf("%#x", ipcKeys[kind]+1), "0x99", "IPC_PRIVATE")
}

// ipcMode are the rights that a get call asks for.
func (g *gen) ipcMode() string {
	return pick(g, "0", "0600", "0400", "0666", "0444", "IPC_CREAT|IPC_EXCL|0600", "IPC_CREAT|0600")
}

func (g *gen) queue() string {
	return pick(g, `"q0"`, `"q0"`, `"q0"`, `"q1"`, `"none"`, `""`, "NULL", `"a/b"`, `"."`)
}

// ipcCalls use objects of System V and message queues.
var ipcCalls = family{
	"shmget": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("shmget(%s, %s, %s)", g.key("shm"), pick(g, "0", "4096", "4097", "-1"), g.ipcMode())
	}},
	"shmat": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("shmat(%s, %s, %s)", g.object("shm"), pick(g, "NULL", "NULL", "0x1001"), pick(g, "0", "SHM_RDONLY", "SHM_RDONLY|SHM_EXEC", "SHM_REMAP"))
	}},
	"shmdt": {1, func(g *gen, t *Task) string { return "shmdt(0x1001)" }},
	"shmctl": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("shmctl(%s, %s)", g.object("shm"), pick(g, "IPC_STAT, {}", "IPC_STAT, NULL", "IPC_INFO, {}", "99, NULL", "IPC_SET, {shm_perm={uid=0, gid=0, mode=0600}}", "IPC_RMID, NULL", "SHM_LOCK, NULL", "SHM_UNLOCK, NULL"))
	}},
	"msgget": {1, func(g *gen, t *Task) string { return fmt.Sprintf("msgget(%s, %s)", g.key("msg"), g.ipcMode()) }},
	"msgsnd": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("msgsnd(%s, %s)", g.object("msg"), pick(g, `{1, "x"}, 1, IPC_NOWAIT`, `{1, "x"}, 8193, IPC_NOWAIT`, `{0, "x"}, 1, IPC_NOWAIT`, "NULL, 1, IPC_NOWAIT"))
	}},
	"msgrcv": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("msgrcv(%s, 0x1000, %s)", g.object("msg"), pick(g, "10, 0, IPC_NOWAIT", "-1, 0, IPC_NOWAIT", "10, 0, MSG_COPY"))
	}},
	"msgctl": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("msgctl(%s, %s)", g.object("msg"), pick(g, "IPC_STAT, {}", "MSG_INFO, {}", "IPC_RMID, NULL", "99, NULL", "IPC_SET, {msg_perm={uid=1000, gid=1000, mode=0644}, msg_qbytes=16384}", "IPC_SET, {msg_perm={uid=1000, gid=1000, mode=0644}, msg_qbytes=16385}"))
	}},
	"semget": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("semget(%s, %s, %s)", g.key("sem"), pick(g, "1", "2", "3", "0", "-1"), g.ipcMode())
	}},
	"semop": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("semop(%s, %s)", g.object("sem"), pick(g, "[{sem_num=0, sem_op=0, sem_flg=IPC_NOWAIT}], 1", "[{sem_num=0, sem_op=-1, sem_flg=IPC_NOWAIT}], 1", "[{sem_num=2, sem_op=1, sem_flg=0}], 1", "NULL, 1", "NULL, 501", "[{sem_num=0, sem_op=32767}, {sem_num=0, sem_op=1}], 2"))
	}},
	"semtimedop": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("semtimedop(%s, [{sem_num=0, sem_op=0}], 1, %s)", g.object("sem"), pick(g, "NULL", "{tv_sec=-1, tv_nsec=0}"))
	}},
	"semctl": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("semctl(%s, %s)", g.object("sem"), pick(g, "0, GETVAL", "2, GETVAL", "0, SETVAL, 0", "0, SETVAL, 32768", "0, SETALL, [0, 0]", "0, GETALL, NULL", "0, IPC_STAT, {}", "0, IPC_SET, {sem_perm={uid=1000, gid=1000, mode=0644}}", "0, IPC_RMID", "0, 99"))
	}},
	"mq_open": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("mq_open(%s, %s)", g.queue(), pick(g, "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE", "O_RDWR|O_CREAT|O_EXCL, 0600, {mq_maxmsg=1, mq_msgsize=16}", "O_RDWR|O_CREAT, 0600, {mq_maxmsg=1, mq_msgsize=16}", "O_RDWR|O_CREAT, 0600, {mq_maxmsg=0, mq_msgsize=8192}", "O_RDWR|O_CREAT, 0600, {mq_maxmsg=65537, mq_msgsize=10}"))
	}},
	"mq_unlink": {2, func(g *gen, t *Task) string { return fmt.Sprintf("mq_unlink(%s)", g.queue()) }},
	"mq_timedsend": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("mq_timedsend(%s, \"x\", 1, %s)", g.fd(t), pick(g, "0, NULL", "32768, NULL", "0, {tv_sec=0, tv_nsec=-1}"))
	}},
	"mq_timedreceive": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("mq_timedreceive(%s, 0x1000, 10, NULL, %s)", g.fd(t), pick(g, "NULL", "{tv_sec=0, tv_nsec=1000000000}"))
	}},
	"mq_notify": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("mq_notify(%s, %s)", g.fd(t), pick(g, "NULL", "{sigev_signo=65, sigev_notify=SIGEV_SIGNAL}"))
	}},
	"mq_getsetattr": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("mq_getsetattr(%s, %s, NULL)", g.fd(t), pick(g, "NULL", "{mq_flags=O_NONBLOCK}", "{mq_flags=O_APPEND}"))
	}},
}
