package check

import "syscallstory/world"

// Moved is what a call does to namespaces.
type Moved struct {
	New     uint64         // CLONE_NEW* of those that are made
	Child   bool           // they are a new task's: the caller stays where it is
	Join    uint64         // CLONE_NEW* of those that are entered
	Into    world.NSFile   // the one that is entered through its own file
	Process *world.Process // whose namespaces are entered through a pidfd
	Map     *world.IDFile  // where Text is written
	Text    string
	Socket  world.Socket // that is made
	Sockets int          // how often
	Change  *world.Socket
	Bound   bool // of Change
	Listens bool
	Device  bool
	Tried   bool
}
