module syscallstory/internal/gen/engines

go 1.26.0
