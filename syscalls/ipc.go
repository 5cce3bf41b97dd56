package syscalls

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// System V IPC and POSIX message queues.

var ipcGet = []flag{{"IPC_CREAT", 0o1000}, {"IPC_EXCL", 0o2000}, {"IPC_NOWAIT", 0o4000}}

var ipcNowait = flag{"IPC_NOWAIT", 0o4000}

var _ = defineSet("shmget", &flagSet{octal: true, flags: append(append([]flag{}, ipcGet[:2]...), flag{"SHM_HUGETLB", 0o4000}, flag{"SHM_NORESERVE", 0o10000})})
var _ = defineSet("ipcget", &flagSet{octal: true, flags: ipcGet})
var _ = defineSet("shmat", &flagSet{octal: true, flags: []flag{{"SHM_RDONLY", 0o10000}, {"SHM_RND", 0o20000}, {"SHM_REMAP", 0o40000}, {"SHM_EXEC", 0o100000}}})
var _ = defineSet("msgflg", &flagSet{octal: true, flags: []flag{ipcNowait, {"MSG_NOERROR", 0o10000}, {"MSG_EXCEPT", 0o20000}, {"MSG_COPY", 0o40000}}})
var _ = defineEnum("ipckey", flag{"IPC_PRIVATE", 0})

var ipcCommands = []flag{{"IPC_RMID", 0}, {"IPC_SET", 1}, {"IPC_STAT", 2}, {"IPC_INFO", 3}}
var _ = defineEnum("shmcmd", append(append([]flag{}, ipcCommands...), flag{"SHM_LOCK", 11}, flag{"SHM_UNLOCK", 12}, flag{"SHM_STAT", 13}, flag{"SHM_INFO", 14}, flag{"SHM_STAT_ANY", 15})...)
var _ = defineEnum("msgcmd", append(append([]flag{}, ipcCommands...), flag{"MSG_STAT", 11}, flag{"MSG_INFO", 12}, flag{"MSG_STAT_ANY", 13})...)
var _ = defineEnum("semcmd", append(append([]flag{}, ipcCommands...), flag{"GETPID", 11}, flag{"GETVAL", 12}, flag{"GETALL", 13}, flag{"GETNCNT", 14}, flag{"GETZCNT", 15}, flag{"SETVAL", 16},
	flag{"SETALL", 17}, flag{"SEM_STAT", 18}, flag{"SEM_INFO", 19}, flag{"SEM_STAT_ANY", 20})...)

// ipcds is struct shmid_ds, msqid_ds or semid_ds: what IPC_SET takes of it lies in a structure of its own, struct ipc64_perm.
var ipcds = defineLayout("ipcds", &layout{size: 120, encode: encodeIPC, members: []member{{"shm_perm", 0, 0, Int}, {"msg_perm", 0, 0, Int}, {"sem_perm", 0, 0, Int}, {"msg_qbytes", 88, 8, Int},
	{"shm_segsz", 0, 0, opaque}, {"shm_cpid", 0, 0, opaque}, {"shm_lpid", 0, 0, opaque}, {"shm_nattch", 0, 0, opaque}, {"shm_atime", 0, 0, opaque}, {"shm_dtime", 0, 0, opaque}, {"shm_ctime", 0, 0, opaque},
	{"msg_stime", 0, 0, opaque}, {"msg_rtime", 0, 0, opaque}, {"msg_ctime", 0, 0, opaque}, {"msg_qnum", 0, 0, opaque}, {"msg_lspid", 0, 0, opaque}, {"msg_lrpid", 0, 0, opaque},
	{"sem_otime", 0, 0, opaque}, {"sem_ctime", 0, 0, opaque}, {"sem_nsems", 0, 0, opaque}}})

// IPCPerm returns a field of the permissions that IPC_SET is given.
func (a *Arg) IPCPerm(field string) (uint64, bool) {
	for _, f := range a.Fields {
		if !strings.HasSuffix(f.Name, "_perm") {
			continue
		}
		for part := range strings.SplitSeq(strings.Trim(f.Str, "{}"), ",") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(part), field+"="); ok {
				n, err := strconv.ParseInt(v, 0, 64)
				return uint64(n), err == nil
			}
		}
	}
	return 0, false
}

func encodeIPC(a *Arg) Memory {
	m := Memory{Bytes: make([]byte, 120)}
	for off, name := range map[int]string{4: "uid", 8: "gid", 20: "mode"} {
		v, _ := a.IPCPerm(name)
		binary.LittleEndian.PutUint32(m.Bytes[off:], uint32(v))
	}
	q, _ := a.Field("msg_qbytes")
	binary.LittleEndian.PutUint64(m.Bytes[88:], q.Val)
	return m
}

// msgbuf is a message: {mtype=1, mtext="x"}, or as strace prints it {1, "x"}.
var _ = defineLayout("msgbuf", &layout{size: 8, brace: (*parser).message, print: messageText, encode: encodeMessage, members: []member{{"mtype", 0, 8, Int}, {"mtext", 8, 0, Text}}})

func (p *parser) message(kind Kind) Arg {
	if start := p.pos; strings.HasPrefix(p.rest(), "{mtype=") {
		p.pos = start
		return p.structure(kind)
	}
	p.pos++
	p.space()
	a := Arg{Kind: kind, Val: 1, Fields: []Field{{Name: "mtype", Val: p.scalar(p.pos)}}}
	p.space()
	if p.accept(",") {
		p.space()
		if p.peek() == '"' {
			a.Fields = append(a.Fields, Field{Name: "mtext", Str: p.quoted(), Text: true})
			p.accept("...")
		}
	}
	p.space()
	if !p.accept("}") {
		p.fail(p.pos, nil, "a message is written as {1, \"text\"}")
	}
	return a
}

func messageText(a *Arg) string {
	typ, _ := a.Field("mtype")
	text, _ := a.Field("mtext")
	return "{" + strconv.FormatInt(int64(typ.Val), 10) + `, "` + quote(text.Str, '"') + `"}`
}

func encodeMessage(a *Arg) Memory {
	typ, _ := a.Field("mtype")
	text, _ := a.Field("mtext")
	return Memory{Bytes: append(binary.LittleEndian.AppendUint64(nil, typ.Val), append([]byte(text.Str), make([]byte, 4096)...)...)}
}

var semFlags = &flagSet{octal: true, flags: []flag{ipcNowait, {"SEM_UNDO", 0o10000}}}

// sembufs is what semop takes: [{sem_num=0, sem_op=-1, sem_flg=SEM_UNDO}, …], three fields a time.
var _ = defineLayout("sembufs", &layout{size: 6, list: (*parser).semops, print: semopsText, encode: encodeSemops, members: []member{{"sem_num", 0, 2, Int}, {"sem_op", 2, 2, Int}, {"sem_flg", 4, 2, Int}}})

func (p *parser) semops(kind Kind) Arg {
	a := Arg{Kind: kind, Val: 1}
	start := p.pos
	p.pos++
	for i := 0; ; i++ {
		p.space()
		switch {
		case p.accept("]"):
			return a
		case i > 0 && !p.accept(","):
			p.fail(p.pos, nil, "expected , or ] in the array")
		case i > 1000:
			p.fail(start, nil, "semop takes at most 1000 operations here")
		}
		p.space()
		if p.accept("...") {
			a.Cut = true
			continue
		}
		op := [3]Field{{Name: "sem_num"}, {Name: "sem_op"}, {Name: "sem_flg"}}
		p.semop(&op)
		a.Fields = append(a.Fields, op[:]...)
	}
}

func (p *parser) semop(op *[3]Field) {
	if !p.accept("{") {
		p.fail(p.pos, nil, "an operation is written as {sem_num=0, sem_op=-1, sem_flg=0}")
	}
	for k := range op {
		p.space()
		if k > 0 && !p.accept(",") {
			break
		}
		p.space()
		if !p.accept(op[k].Name + "=") {
			p.fail(p.pos, nil, "expected %s=", op[k].Name)
		}
		if k == 2 {
			op[k].Val = p.setOf(semFlags)
		} else {
			op[k].Val = p.scalar(p.pos)
		}
	}
	p.space()
	if !p.accept("}") {
		p.fail(p.pos, nil, "the operation is not closed with }")
	}
}

func semopsText(a *Arg) string {
	var b strings.Builder
	for i := 0; i+2 < len(a.Fields); i += 3 {
		if i > 0 {
			b.WriteString(", ")
		}
		f := a.Fields[i:]
		b.WriteString("{sem_num=" + strconv.FormatUint(f[0].Val, 10) + ", sem_op=" + strconv.FormatInt(int64(f[1].Val), 10) + ", sem_flg=" + semFlags.text(f[2].Val) + "}")
	}
	if a.Cut {
		b.WriteString(", ...")
	}
	return "[" + b.String() + "]"
}

func encodeSemops(a *Arg) Memory {
	m := Memory{Bytes: make([]byte, 0, 2*len(a.Fields)+1)}
	for i := range a.Fields {
		m.Bytes = binary.LittleEndian.AppendUint16(m.Bytes, uint16(a.Fields[i].Val))
	}
	if len(m.Bytes) == 0 {
		m.Bytes = append(m.Bytes, 0)
	}
	return m
}

// What semctl takes as its fourth argument depends on the command: a number, an array, or struct semid_ds.
var _ = defineLayout("semarg", &layout{size: 120, list: (*parser).semarray, brace: (*parser).semset, print: semargText, encode: encodeSemarg})

func (p *parser) semarray(kind Kind) Arg {
	a := p.numbers(kind)
	a.Str = "["
	return a
}

func (p *parser) semset(Kind) Arg { return p.structure(ipcds) }

func semargText(a *Arg) string { return a.numbersText() }

func encodeSemarg(a *Arg) Memory {
	m := Memory{Bytes: make([]byte, 0, 2*len(a.Fields)+1)}
	for i := range a.Fields {
		m.Bytes = binary.LittleEndian.AppendUint16(m.Bytes, uint16(a.Fields[i].Val))
	}
	return Memory{Bytes: append(m.Bytes, 0)}
}

var _ = defineStruct("mqattr", 64, member{"mq_flags", 0, 8, kinds["open"]}, member{"mq_maxmsg", 8, 8, Int}, member{"mq_msgsize", 16, 8, Int}, member{"mq_curmsgs", 24, 8, Int})
var _ = defineCalls(map[string]string{
	"shmget": "ipckey int shmget", "shmat": "int ptr shmat", "shmdt": "ptr", "shmctl": "int shmcmd ipcds?",
	"msgget": "ipckey ipcget", "msgsnd": "int msgbuf int msgflg", "msgrcv": "int out? int int msgflg", "msgctl": "int msgcmd ipcds?",
	"semget": "ipckey int ipcget", "semop": "int sembufs int", "semtimedop": "int sembufs int timespec", "semctl": "int int semcmd semarg?",
	"mq_open": "text open mode? mqattr?", "mq_unlink": "text", "mq_timedsend": "fd data int int timespec?", "mq_timedreceive": "fd out? int ptr? timespec?",
	"mq_notify": "fd sigevent?", "mq_getsetattr": "fd mqattr? ptr?",
})
