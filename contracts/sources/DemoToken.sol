// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title Bulkhead Demo Dollar
/// @notice A well-behaved ERC-20 with six decimals for development chains. Whoever deployed it mints.
contract DemoToken is ERC20, Ownable {
    constructor() ERC20("Bulkhead Demo Dollar", "BDD") Ownable(msg.sender) {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}
