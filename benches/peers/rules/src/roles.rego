package roles

granted contains role if {
	some group in input.groups
	some role in data.allow[group]
}

denied contains role if {
	some group in input.groups
	some role in data.deny[group]
}

answer := granted - denied
