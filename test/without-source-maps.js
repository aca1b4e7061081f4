// Ava turns them on. Types are erased in place, so that lines are those of the source; and Node would read the maps of all packages.
process.setSourceMapsEnabled(false);
