package world

import (
	"syscallstory/story"
	"syscallstory/syscalls"
)

// Refused is a call and the check that refused it.
type Refused struct {
	Call  *syscalls.Call
	Step  story.Step
	Entry story.Entry // the step in words
	// Filtered names the calls of the stream that the call belongs to, all of which the task's filters refuse.
	Filtered []string
}

// Input is what a world is made from. It knows which of its own fields decided and how they could be changed; what a change
// does is found by judging again.
type Input interface {
	World() (*World, error)
	// Edits offers changes that may let the refused call pass, the narrowest first.
	Edits(w *World, r Refused) []story.Edit
	// With returns the input with an edit made that it, or what it was made from, has offered.
	With(e story.Edit) (Input, error)
}
