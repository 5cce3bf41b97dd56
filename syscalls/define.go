package syscalls

// Families of calls bring their own names of flags, structures and signatures, each in a file of its own:
//
//	var _ = defineFlags("prot", flag{"PROT_READ", 1}, flag{"PROT_WRITE", 2}, flag{"PROT_EXEC", 4}, flag{"PROT_NONE", 0})
//	var _ = defineCalls(map[string]string{"mprotect": "ptr int prot"})
//
// A word of a signature is one of kinds' names; with ? the argument may be left out.

// nextKind is the kind that the next definition gets.
var nextKind = numKinds

// defineFlags names a set of flags.
func defineFlags(name string, flags ...flag) Kind { return defineSet(name, &flagSet{flags: flags}) }

// defineEnum names numbers of which an argument holds one.
func defineEnum(name string, values ...flag) Kind {
	return defineSet(name, &flagSet{enum: values, mask: ^uint64(0), single: true})
}

// defineLoose is defineEnum for numbers of which only some have a name here.
func defineLoose(name string, values ...flag) Kind {
	return defineSet(name, &flagSet{enum: values, mask: ^uint64(0), single: true, loose: true})
}

// defineLooseFlags is defineFlags for sets of which only some have a name here.
func defineLooseFlags(name string, flags ...flag) Kind {
	return defineSet(name, &flagSet{flags: flags, loose: true})
}

func defineSet(name string, s *flagSet) Kind {
	k := define(name)
	kindSets[k] = s
	return k
}

func define(name string) Kind {
	if _, twice := kinds[name]; twice {
		panic("syscalls: kind " + name + " is defined twice")
	}
	k := nextKind
	nextKind++
	kinds[name] = k
	return k
}

// defineCalls gives calls their signatures.
func defineCalls(signatures map[string]string) bool {
	for name, s := range signatures {
		if _, twice := specs[name]; twice {
			panic("syscalls: the signature of " + name + " is defined twice")
		}
		specs[name] = s
	}
	return true
}

// defineConstants names numbers that stand in arguments which are no flag set.
func defineConstants(c ...flag) bool {
	constants = append(constants, c...)
	return true
}
