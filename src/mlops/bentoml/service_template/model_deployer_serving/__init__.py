"""What every bento of the deployer answers with; a package of its own, so that a model may have modules of any name."""
