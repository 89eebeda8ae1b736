// This file allows the package to declare a function without a body: see userMain.
