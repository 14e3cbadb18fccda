"""What the screens ask of the core, kept between reruns; models are loaded here alone."""
