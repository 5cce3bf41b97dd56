package story

// Checks of System V IPC and POSIX message queues.
var (
	IPCMissing = define(Info{
		ID: "LKP330", Gate: Lookup, Title: "the IPC namespace has the object", Denies: "the task's IPC namespace has no {0} {1}", Allows: "{0} {1}", Unknowns: "whether the task's IPC namespace has {0} {1} is not known",
		Facts: []FactInfo{{"kind", KindString}, {"name", KindString}}, Function: "ipc_findkey, ipc_obtain_object_check, lookup_noperm", Errno: "ENOENT for a key or a name, EINVAL for a number", Releases: "all", Man: "sysvipc(7)",
		Note:  "each IPC namespace has objects of its own: what another container has made is not there, unless both share a Pod's namespace or the host's",
		Long:  "Segments, queues and semaphores are named by a key, from which a get call makes a number, and POSIX message queues by a name. They belong to an IPC namespace, and stay until they are removed or the namespace ends.",
		Repro: "unshare -i ipcs",
	})
	IPCExists = define(Info{
		ID: "LKP331", Gate: Lookup, Title: "an object that is made is not there yet", Denies: "there is a {0} {1} already", Unknowns: "whether there is a {0} {1} already is not known",
		Facts: []FactInfo{{"kind", KindString}, {"name", KindString}}, Function: "ipcget_public, prepare_open", Errno: "EEXIST", Releases: "all", Man: "shmget(2)",
		Long:  "IPC_CREAT with IPC_EXCL, and O_CREAT with O_EXCL, want an object that is new.",
		Repro: "python3 -c 'import ctypes; l=ctypes.CDLL(None,use_errno=True); [print(l.shmget(77, 1, 0o3600), ctypes.get_errno()) for i in \"12\"]'; ipcrm -M 77",
	})
	IPCMode = define(Info{
		ID: "DAC330", Gate: DAC, Title: "the mode of an IPC object", Denies: "the {0} has mode {1} and owner {2}, and the task lacks CAP_IPC_OWNER in the user namespace that owns the IPC namespace", Allows: "mode {1}, owner {2}",
		Unknowns: "whether mode {1} of the {0} with owner {2}, or a capability, lets the task pass is not known",
		Facts:    []FactInfo{{"kind", KindString}, {"mode", KindMode}, {"owner", KindIDs}}, Function: "ipcperms", Errno: "EACCES", Releases: "all", Man: "sysvipc(7)",
		Note:  "the effective uid is compared with owner and creator; a get call asks for what its own mode bits say",
		Long:  "Owner and creator get the first three bits, their groups the next, everybody else the last. CAP_IPC_OWNER passes over them, in the user namespace that owns the IPC namespace. shmget(key, size, 0600) asks for reading and writing, shmget(key, size, 0) for nothing.",
		Repro: "ipcmk -M 1 -p 600; setpriv --reuid 1000 --clear-groups python3 -c 'import ctypes; l=ctypes.CDLL(None,use_errno=True); l.shmat(0,0,0); print(ctypes.get_errno())'",
	})
	IPCOwner = define(Info{
		ID: "DAC331", Gate: DAC, Title: "an IPC object is changed and removed by its owner", Denies: "the {0} belongs to {1}, and the task lacks {2} in the user namespace that owns the IPC namespace", Allows: "the {0} belongs to {1}",
		Unknowns: "whether the task owns the {0} of {1}, or has {2}, is not known",
		Facts:    []FactInfo{{"kind", KindString}, {"owner", KindIDs}, {"capability", KindCap}}, Function: "ipcctl_obtain_check, shmctl_do_lock", Errno: "EPERM", Releases: "all", Man: "shmctl(2)",
		Long:  "IPC_SET and IPC_RMID are for owner and creator by effective uid, and for CAP_SYS_ADMIN; SHM_LOCK and SHM_UNLOCK for them and CAP_IPC_LOCK. Both capabilities count in the user namespace that owns the IPC namespace.",
		Repro: "ipcmk -Q; setpriv --reuid 1000 --clear-groups ipcrm -q 0",
	})
	IPCLimit = define(Info{
		ID: "OTH330", Gate: Other, Title: "a limit of the IPC namespace", Denies: "{0} is {1}: {2} are asked for", Allows: "{0} is {1}", Unknowns: "{0}, or how much of it is used, is not known",
		Facts: []FactInfo{{"limit", KindString}, {"value", KindInt}, {"asked", KindInt}}, Function: "newseg, newque, newary, ipc_addid, mqueue_get_inode", Errno: "EINVAL, ENOSPC, E2BIG or EMFILE", Releases: "all", Man: "proc_sys_kernel(5)",
		Note:  "the limits belong to the IPC namespace: a container with one of its own has the kernel's defaults, whatever the node has set",
		Long:  "kernel.shmmax, shmall, shmmni, msgmax, msgmnb, msgmni and sem, and fs.mqueue.* limit what an IPC namespace holds. A Pod sets them in securityContext.sysctls, where the kubelet allows it. For POSIX message queues CAP_SYS_RESOURCE in the initial user namespace passes over them up to 65536 messages of 16 MiB, and RLIMIT_MSGQUEUE limits each user's bytes.",
		Repro: "unshare -i sh -c 'sysctl -w kernel.shmmni=0; ipcmk -M 1'",
	})
	IPCRaise = define(Info{
		ID: "CAP330", Gate: Capability, Title: "a message queue beyond kernel.msgmnb needs CAP_SYS_RESOURCE", Denies: "{0} bytes are more than kernel.msgmnb, {1}, and the task lacks CAP_SYS_RESOURCE in the initial user namespace", Allows: "{0} bytes", Unknowns: "whether {0} bytes are more than kernel.msgmnb is not known",
		Facts: []FactInfo{{"bytes", KindInt}, {"kernel.msgmnb", KindInt}}, Function: "msgctl_down", Errno: "EPERM", Releases: "all", Man: "msgctl(2)",
		Long:  "IPC_SET may let a queue take as many bytes as kernel.msgmnb says; more is for CAP_SYS_RESOURCE in the initial user namespace, whoever owns the IPC namespace.",
		Repro: "unshare -i python3 -c 'import ctypes; …msgctl(IPC_SET) with msg_qbytes=1<<20'",
	})
	IPCWait = define(Info{
		ID: "OTH331", Gate: Other, Title: "a message or a semaphore is there", Denies: "{0}", Unknowns: "whether the call waits is not known: {0}",
		Facts: []FactInfo{{"state", KindString}}, Function: "do_msgrcv, do_msgsnd, perform_atomic_semop", Errno: "ENOMSG, EAGAIN", Releases: "all", Man: "msgop(2)",
		Long: "Without IPC_NOWAIT the call waits until another process sends, takes or changes something.", Repro: "python3 -c 'msgrcv of an empty queue with IPC_NOWAIT'",
	})
	QueueName = define(Info{
		ID: "OTH332", Gate: Other, Title: "a message queue's name is one component", Denies: "the name is empty, . or .., or has a /", Function: "lookup_noperm", Errno: "EACCES", Releases: "all", Man: "mq_overview(7)",
		Note:  "the C library takes a / in front away: the kernel's call has the name without it",
		Long:  "The queues of an IPC namespace are the files of its mqueue filesystem, which has one directory.",
		Repro: "python3 -c 'mq_open of a/b'",
	})
	QueueMode = define(Info{
		ID: "DAC332", Gate: DAC, Title: "the mode of a POSIX message queue", Denies: "the queue has mode {0}, owner {1}: {2} is not granted, and no capability helps", Allows: "mode {0}, owner {1}", Unknowns: "whether mode {0} of the queue with owner {1}, or a capability, lets the task pass is not known",
		Facts: []FactInfo{{"mode", KindMode}, {"owner", KindIDs}, {"access", KindMask}}, Function: "prepare_open, inode_permission", Errno: "EACCES", Releases: "all", Man: "mq_open(3)",
		Long:  "A queue is a file: the mode counts, then CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH in the task's own user namespace, where the queue's ids must be mapped.",
		Repro: "python3 -c 'mq_open of a queue of another user'",
	})
	QueueSticky = define(Info{
		ID: "DAC333", Gate: DAC, Title: "a POSIX message queue is removed by its owner", Denies: "the queue belongs to {0}, the task is {1} and lacks CAP_FOWNER over it", Allows: "the queue of {0}, the task is {1}", Unknowns: "whether the task {1} may remove the queue of {0} is not known",
		Facts: []FactInfo{{"owner", KindIDs}, {"task", KindIDs}}, Function: "mq_unlink, may_delete", Errno: "EPERM", Releases: "all", Man: "mq_unlink(3)",
		Long:  "The directory of an IPC namespace's queues has mode 1777: a queue is removed by its owner, by the directory's, who made the namespace, or with CAP_FOWNER.",
		Repro: "rm /dev/mqueue/x of another user",
	})
	QueueIDs = define(Info{
		ID: "UNS330", Gate: UserNS, Title: "a new queue takes the task's ids, which the IPC namespace's owner must have", Denies: "the task's ids {0} have no number in the user namespace that owns the IPC namespace",
		Facts: []FactInfo{{"fsuid:fsgid", KindIDs}}, Function: "may_create", Errno: "EOVERFLOW", Releases: "since Linux 4.8", Man: "user_namespaces(7)",
		Long:  "The filesystem of message queues belongs to the user namespace that owns the IPC namespace; a file there has an owner that it knows.",
		Repro: "nsenter --ipc of a container with hostUsers: false, as the host's root, mq_open with O_CREAT",
	})
)
