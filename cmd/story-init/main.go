// Command story-init is the first process of a container that story launches. It is small, because every container pays for
// its start; make build embeds it into story.
package main

import "syscallstory/container/inside"

func main() { inside.Main() }
