module parigot.test/probe

go 1.26
